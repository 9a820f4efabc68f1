"""The networks, in the order data meets them (paper Fig. 4, left to right).

In: reference image and instruction, latents, time. Out: conditioning, context, velocity, pictures. ``conditioner`` reads
picture and words, ``connector`` turns that into context, ``transformer`` makes velocity, ``vae`` joins pictures and
latents, ``checkpoint`` knows the published layouts of the weights.
"""
