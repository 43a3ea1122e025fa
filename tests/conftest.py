"""Being here, it makes pytest look for modules in this folder too: tests of the site use some of those beside it."""
