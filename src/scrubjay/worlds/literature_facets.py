"""What invented papers are about: facets, each with several wordings that share no content word.

One wording for the paper and another for those it should cite: then words miss what meaning finds.
"""

from __future__ import annotations

TASKS = (
    ("bird song identification", "recognising avian calls", "naming species by sound recordings"),
    ("protein folding", "predicting shapes of amino acid chains", "tertiary structure inference"),
    ("machine translation", "converting text between languages", "cross-lingual rewriting"),
    ("crop yield forecasting", "estimating the coming harvest", "projecting farm output"),
    ("traffic jam prediction", "anticipating road congestion", "foreseeing vehicle queues"),
    ("fraud detection", "spotting deceitful payments", "flagging dishonest transactions"),
    ("earthquake warning", "alerting before seismic shocks", "early notice of ground tremors"),
    ("tumour segmentation", "outlining cancer in scans", "delineating malignant tissue"),
    ("music generation", "composing melodies automatically", "algorithmic songwriting"),
    ("spelling correction", "repairing misspelt words", "fixing typing errors"),
    ("flood mapping", "charting inundated land", "locating areas under water"),
    ("battery ageing", "how accumulators lose capacity", "wear of lithium cells"),
    ("handwriting recognition", "reading pen strokes", "transcribing manuscripts"),
    ("robot grasping", "picking up objects with a manipulator", "mechanical hand pick planning"),
    ("wildfire spread", "growth of forest blazes", "how bush burning advances"),
    ("question answering", "replying to user queries", "finding responses to what people ask"),
    ("sleep staging", "scoring phases of slumber", "classifying nocturnal rest cycles"),
    ("chess evaluation", "judging board game positions", "assessing moves of kings and pawns"),
    ("wine quality", "taste ratings of vintages", "grading grape beverages"),
    ("galaxy morphology", "sorting star systems by form", "visual types of nebulae"),
)  # fmt: skip
METHODS = (
    ("graph neural networks", "message passing between nodes", "relational deep learning"),
    ("decision trees", "recursive splitting rules", "branching classifiers"),
    ("reinforcement learning", "trial and error with rewards", "policy optimisation"),
    ("contrastive training", "pulling similar pairs together", "noise-contrastive objectives"),
    ("Bayesian inference", "posterior sampling", "probabilistic belief updating"),
    ("convolutional filters", "sliding window kernels", "local receptive fields"),
    ("attention layers", "transformer blocks", "self-weighted token mixing"),
    ("genetic algorithms", "evolutionary search", "mutation and selection"),
    ("nearest neighbours", "lookup of similar examples", "instance-based voting"),
    ("diffusion models", "iterative denoising", "reversing gradual corruption"),
    ("active sampling", "choosing which cases to label", "selective annotation"),
    ("knowledge distillation", "teacher and student compression", "shrinking large models"),
)  # fmt: skip
DATA = (
    ("satellite images", "pictures from orbit"),
    ("sensor logs", "readings of measuring devices"),
    ("volunteer reports", "crowd contributions"),
    ("hospital archives", "clinical files"),
    ("web pages", "online documents"),
    ("simulated episodes", "synthetic runs"),
)
GAINS = (
    ("raises accuracy", "lowers accuracy"),
    ("reduces the error", "increases the error"),
    ("shortens training", "lengthens training"),
    ("improves recall", "worsens recall"),
)
"""What a paper reports, and the opposite."""
ASIDES = (
    "Code is released with the paper.",
    "An ablation shows which part matters most.",
    "We discuss where the approach fails.",
    "A survey of earlier work closes the paper.",
)
