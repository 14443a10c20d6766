"""Auctions: open ascending games for rules, planners, learners and language models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.deciding.auctions.auctioneer import play
    from scrubjay.deciding.auctions.beliefs import Beliefs, belief_errors, parse_beliefs
    from scrubjay.deciding.auctions.bidder import Bidder
    from scrubjay.deciding.auctions.game import (
        AuctionError,
        English,
        Item,
        Lot,
        Sale,
        State,
        View,
    )
    from scrubjay.deciding.auctions.items import Estimates, item_set
    from scrubjay.deciding.auctions.language import LanguageBidder
    from scrubjay.deciding.auctions.language_voices import Choosing, Writing, parse_bid
    from scrubjay.deciding.auctions.learners import LearningBidder
    from scrubjay.deciding.auctions.log import AuctionLog, replay
    from scrubjay.deciding.auctions.planner import Clairvoyant, Forgetful, ShadowPricePlanner
    from scrubjay.deciding.auctions.ratings import Rating, TrueSkillLadder, bradley_terry, rate
    from scrubjay.deciding.auctions.rules import GreedyBidder, RandomBidder, RuleBidder
    from scrubjay.deciding.auctions.seats import make_bidder
    from scrubjay.deciding.auctions.tournament import (
        Plan,
        load_tournament,
        run_tournament,
        table,
    )

_WHERE = {
    "AuctionError": "game",
    "AuctionLog": "log",
    "Beliefs": "beliefs",
    "Bidder": "bidder",
    "Choosing": "language_voices",
    "Clairvoyant": "planner",
    "English": "game",
    "Estimates": "items",
    "Forgetful": "planner",
    "GreedyBidder": "rules",
    "Item": "game",
    "LanguageBidder": "language",
    "LearningBidder": "learners",
    "Lot": "game",
    "Plan": "tournament",
    "RandomBidder": "rules",
    "Rating": "ratings",
    "RuleBidder": "rules",
    "Sale": "game",
    "ShadowPricePlanner": "planner",
    "State": "game",
    "TrueSkillLadder": "ratings",
    "View": "game",
    "Writing": "language_voices",
    "belief_errors": "beliefs",
    "bradley_terry": "ratings",
    "item_set": "items",
    "load_tournament": "tournament",
    "make_bidder": "seats",
    "parse_beliefs": "beliefs",
    "parse_bid": "language_voices",
    "play": "auctioneer",
    "rate": "ratings",
    "replay": "log",
    "run_tournament": "tournament",
    "table": "tournament",
}

__all__ = [
    "AuctionError",
    "AuctionLog",
    "Beliefs",
    "Bidder",
    "Choosing",
    "Clairvoyant",
    "English",
    "Estimates",
    "Forgetful",
    "GreedyBidder",
    "Item",
    "LanguageBidder",
    "LearningBidder",
    "Lot",
    "Plan",
    "RandomBidder",
    "Rating",
    "RuleBidder",
    "Sale",
    "ShadowPricePlanner",
    "State",
    "TrueSkillLadder",
    "View",
    "Writing",
    "belief_errors",
    "bradley_terry",
    "item_set",
    "load_tournament",
    "make_bidder",
    "parse_beliefs",
    "parse_bid",
    "play",
    "rate",
    "replay",
    "run_tournament",
    "table",
]

__getattr__ = lazy(__name__, _WHERE)
