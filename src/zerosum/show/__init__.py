"""What was measured, shown: figures, tables, HTML pages, terminal tables. Loads no torch.

`sections/` has a file for each part of a page; a page, a terminal answer and a folder are loops over them.
"""
