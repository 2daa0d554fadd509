"""The figure of loss curves that the old page of one run still draws."""
