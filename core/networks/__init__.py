"""The networks as plain torch modules, one file each; imported only where one is run."""
