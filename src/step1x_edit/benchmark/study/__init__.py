"""The user study: finished runs in, a local page for blind ranking, people's levels out (paper, section on human preference)."""
