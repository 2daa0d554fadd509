"""Loss curves that anybody logged: what the fits, forecasts and comparisons say, as a page, tables and figures."""
