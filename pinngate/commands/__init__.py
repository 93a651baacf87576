"""What each command of the command line does; `pinngate.cli` puts them together."""
