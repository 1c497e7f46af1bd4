"""The seed of everything random."""

#: Fixed, so that two builds of the same data give the same marts. The number itself means nothing; all stages share it,
#: and each makes a generator of its own from it, so that none depends on what another has drawn.
SEED = 20240101
