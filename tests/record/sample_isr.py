"""The ISR networks that tests/record/record_isr.py records and test_isr.py repeats."""

NETWORKS = {
    "rdn_ups_x2": ("RDN", {"C": 2, "D": 3, "G": 4, "G0": 6, "x": 2}, "ups"),
    "rdn_shuffle_x3": ("RDN", {"C": 3, "D": 2, "G": 4, "G0": 4, "x": 3}, "shuffle"),
    "rrdn_x4": ("RRDN", {"C": 2, "D": 2, "G": 4, "G0": 6, "T": 2, "x": 4}, None),
}
SIZE = (9, 13)
"""Height and width of the input, which `formulas.picture` draws."""

RELEASED = ("psnr-small", "gans")
RELEASED_SIZE = (16, 24)
