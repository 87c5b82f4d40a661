"""Reads from outside what was kept, and says what is wrong: files, journals, ledgers, rows, frames."""
