"""How data/recogniser.h5 is made."""
