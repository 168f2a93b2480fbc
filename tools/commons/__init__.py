"""How data/commons.h5 is made. Build-time code: the installed package needs none of it."""
