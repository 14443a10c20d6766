"""Trees: what is derived from parents, invented worlds, and what is read from files."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.core.errors import InputError, UnknownName
from scrubjay.worlds import Mix, Node, Tree, TreeWorld, load_tree


@given(st.lists(st.integers(0, 30), max_size=30))
def test_paths_children_and_leaves_agree(parents: list[int]) -> None:
    """Node i hangs below one that came before it, or is a root."""
    nodes = [
        Node(f"n{i}", f"N{i}", f"n{p % i}" if i and p % 3 else "") for i, p in enumerate(parents)
    ]
    if not nodes:
        return
    tree = Tree("t", reversed(nodes))  # the order of the list doesn't matter
    for node in nodes:
        way = tree.path(node.id)
        assert way[-1] == node.id
        assert way[0] in tree.roots
        assert all(b in tree.children(a) for a, b in itertools.pairwise(way))
        assert (node.id in tree.leaves) == (not tree.children(node.id))
    assert sum(len(tree.children(id)) for id in ("", *tree.nodes)) == len(tree)


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ([], "no nodes"),
        ([Node("a", "A"), Node("a", "B")], "two nodes with the id 'a'"),
        ([Node("a", "A", "b")], "under 'b', which the tree t lacks"),
        ([Node("r", "R"), Node("a", "A", "b"), Node("b", "B", "a")], "below itself"),
        ([Node("", "A")], "without an id"),
    ],
)
def test_what_is_not_a_tree_is_refused(nodes: list[Node], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Tree("t", nodes)


def test_questions_are_wordings_that_tell_something_and_mean_one_node() -> None:
    tree = Tree(
        "t",
        [
            Node("a", "Jays", terms=("jays!", "noisy birds", "birds")),
            Node("b", "Tits", "a", terms=("small birds", "birds")),
        ],
    )
    asked = tree.questions(10)
    assert {(q.text, q.answers, q.gold) for q in asked} == {
        ("noisy birds", ("a",), ("a",)),
        ("small birds", ("b",), ("a", "b")),
    }
    assert tree.questions(10) == asked
    assert len(tree.questions(1)) == 1
    assert not any("birds" in p.text for p in tree.passages())


def test_a_tree_world_has_its_shape_and_unlike_names() -> None:
    world = TreeWorld(3, 4, seed=5)
    tree = world.tree
    assert len(tree.leaves) == 81
    assert len(tree) == 3 + 9 + 27 + 81
    names = [node.name for node in tree]
    assert len(set(names)) == len(tree)
    assert all(len(name.split()) == 2 for name in names)
    assert TreeWorld(3, 4, seed=5).corpus() == world.corpus()
    assert TreeWorld(3, 4, seed=6).tree.nodes["0"].name != tree.nodes["0"].name
    for bad in ((11, 2), (0, 2), (2, 0)):
        with pytest.raises(ValueError, match="TreeWorld"):
            TreeWorld(*bad)


def test_shares_hold_on_every_level_and_the_rest_is_never_told_whole() -> None:
    world, mix = TreeWorld(4, 3), Mix(0.25, 0.5)
    told = world.told(mix)
    for depth, walks, definitions in ((1, 4, 0), (2, 4, 8), (3, 16, 32)):
        kinds = [kind for id, kind in told.items() if len(id) == depth]
        assert (kinds.count("walk"), kinds.count("definition")) == (walks, definitions)
    lines = world.corpus(mix)
    silent = [id for id, kind in told.items() if kind == "fact"]
    for id in silent:
        assert [line.kind for line in lines if line.node == id] == ["fact"]
        # nor is its code ever put beside its name
        assert not any(line.text.startswith(world.ask(id)) for line in lines)


def test_a_prefix_code_can_be_walked_by_local_facts_alone() -> None:
    """An oracle that only reads the corpus' local facts finds every name."""
    world = TreeWorld(3, 3)
    edges = {}
    for line in world.corpus():
        if line.kind == "fact":
            left, right = line.text.split(" is ")
            edges[tuple(left.removeprefix("under ").split(" , "))] = right
    for id, node in world.tree.nodes.items():
        here = "top"
        for turn in world.codes[id].split():
            here = edges[here, turn]
        assert here == node.name


def test_an_opaque_code_says_nothing_of_the_path() -> None:
    world = TreeWorld(3, 3, "opaque")
    codes = list(world.codes.values())
    assert len(set(codes)) == len(codes)
    assert not {*codes} & {node.name for node in world.tree}
    assert f"code {world.codes['012']} is in code {world.codes['01']}" in world.facts("012")


@pytest.mark.parametrize("code", ["prefix", "opaque"])
def test_what_is_written_is_read_back(code: str) -> None:
    world = TreeWorld(3, 3, code)  # type: ignore[arg-type]
    tree = world.tree
    for id, node in tree.nodes.items():
        assert world.parse(world.walked(id)) == (tree.names(tree.path(id)), node.name)
        assert world.parse(world.direct(id)) == ((), node.name)
    assert world.parse("path 0 is") == ((), "")
    assert world.parse("") == ((), "")


@pytest.mark.parametrize(("distractors", "shared"), [("sibling", 2), ("cousin", 1), ("random", 0)])
def test_distractors_are_as_near_as_asked(distractors: str, shared: int) -> None:
    world = TreeWorld(5, 3)
    ids = {node.name: node.id for node in world.tree}
    options = world.options("012", 4, distractors)  # type: ignore[arg-type]
    assert len(set(options)) == 4
    assert world.tree.nodes["012"].name in options
    others = [ids[name] for name in options if ids[name] != "012"]
    assert all(other[:shared] == "012"[:shared] and len(other) == 3 for other in others)
    if distractors == "cousin":
        assert all(other[:2] != "01" for other in others)


def test_a_table_is_read_in_any_order_and_refused_by_line(tmp_path: Path) -> None:
    table = tmp_path / "birds.csv"
    table.write_text("id,parent,name,terms\nj,b,Jays,noisy | blue\nb,,Birds,\n")
    tree = load_tree(str(table))
    assert tree.path("j") == ("b", "j")
    assert tree.node("j").terms == ("noisy", "blue")
    records = tmp_path / "birds.jsonl"
    records.write_text(
        '{"id": 1, "parent": null, "name": "A"}\n{"id": 2, "parent": 1, "name": "B"}'
    )
    assert load_tree(str(records)).path("2") == ("1", "2")
    for text, where in (
        ("id,parent,name\na,,A\na,,B\n", ":3: 'a' stands already in line 2"),
        ("id,parent,name\na,x,A\n", ":2: the parent 'x'"),
        ("id,parent,name\na,,\n", ":2: 'name' is missing"),
        ("id,parent,name\na,b,A\nb,a,B\n", "below itself"),
        ("id,name\na,A\n", ":1: .*'parent' is missing"),
        ("id,parent,name\n", "no nodes"),
    ):
        table.write_text(text)
        with pytest.raises(InputError, match=where):
            load_tree(str(table))
    with pytest.raises(InputError, match="can't be read"):
        load_tree(str(tmp_path / "none.csv"))
    with pytest.raises(UnknownName, match="icd10cm"):
        load_tree("icd10")
    with pytest.raises(InputError, match="out of range"):
        load_tree("random:10x9")


def test_a_folder_is_a_tree_that_follows_no_links(tmp_path: Path) -> None:
    (tmp_path / "top" / "my_plans").mkdir(parents=True)
    (tmp_path / "top" / "my_plans" / "next-year.md").write_text("x")
    (tmp_path / "top" / ".git").mkdir()
    os.symlink(tmp_path, tmp_path / "top" / "loop")
    open(os.fsencode(tmp_path / "top") + b"/\xff\x1b.txt", "w").close()
    tree = load_tree(str(tmp_path / "top"))
    assert tree.nodes["my_plans/next-year.md"] == Node(
        "my_plans/next-year.md", "next year", "my_plans"
    )
    assert sorted(tree.nodes) == ["\\xff?.txt", "my_plans", "my_plans/next-year.md"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no files"):
        load_tree(str(tmp_path / "empty"))


def test_the_medical_codes_are_one_tree() -> None:
    tree = load_tree("icd10cm")
    assert len(tree) > 90_000
    assert len(tree.roots) == 22
    assert tree.names(tree.path("E11.11")) == (
        "Endocrine, nutritional and metabolic diseases",
        "Diabetes mellitus",
        "Type 2 diabetes mellitus",
        "Type 2 diabetes mellitus with ketoacidosis",
        "Type 2 diabetes mellitus with ketoacidosis with coma",
    )
    assert tree.path("B10") == ("1", "B10")  # block and category of one code are one node
