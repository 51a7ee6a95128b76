"""Further actors, one package each; strangers to each other."""
