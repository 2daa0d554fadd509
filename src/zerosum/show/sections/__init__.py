"""One section to a file; `zerosum.show.section` says what a file has. A new section is a new file here."""
