"""Where people meet the operators: panel, menus, preferences and the command line."""
