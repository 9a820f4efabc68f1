"""Pure functions between noise and latents (paper Fig. 4, right side; section 3).

In: sizes, latents, times, velocities. Out: the same, packed, placed, shifted or guided. Nothing here knows whose weights
made the numbers.
"""
