"""Words that say nothing of what a paper is about, and words that sentences begin with."""

_FUNCTION = """
a an the and or of in on at to for from by with without is are was were be been being it its this
that these those we our they their them which who as than then there here can may more most not no
such also both each other into over under between has have had do does did but if
"""
_ACADEMIC = """
paper papers authors work study studies show shows showed shown present presents presented propose
proposes proposed new use used uses using based approach method methods results result system
systems compared earlier how what when where builds built trained percent
"""
_BEGINNINGS = """
one two three four all some many others our while although however by after before during through
moreover finally recently first second third another in on at as it we here there each if when where
"""
_SAYING = "others paper authors work study show shows showed present presents"
COMMON = frozenset(_FUNCTION.split())
"""Words of grammar."""
UNSEARCHABLE = COMMON | frozenset(_ACADEMIC.split())
"""Words that find every paper."""
UNSAID = COMMON | frozenset(_SAYING.split())
"""Words that a sentence about a paper may use whatever the paper says."""
BEGINNINGS = UNSEARCHABLE | frozenset(_BEGINNINGS.split())
"""Capitalised without being names."""
