"""Cases and an editor in, edited pictures in GEdit-Bench's official folder layout out; refusals and failures recorded as such."""
