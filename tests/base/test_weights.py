"""Everything that is derived from a weight table agrees with it."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from pollux.base.mesh import RULES, make_mesh, spec
from pollux.base.weights import Weight, abstract, count, flatten, initial, unflatten
from pollux.model.sizes import family
from pollux.model.transformer import weight_table

TINY = family()["tiny"]


def test_the_abstract_tree_is_the_shape_of_the_values():
    table = weight_table(TINY)
    described, values = flatten(abstract(table)), flatten(initial(table, 0))
    assert described.keys() == values.keys()
    assert all(described[n].shape == x.shape and described[n].dtype == x.dtype for n, x in values.items())
    assert count(table) == sum(x.size for x in values.values())


def test_another_row_changes_no_other_row():
    table = {"a": {"x": Weight((3, 4), (None, None))}, "c": Weight((4,), (None,))}
    more = {"a": {"w": Weight((2,), (None,)), "x": table["a"]["x"]}, "b": Weight((5,), (None,)), "c": table["c"]}
    before, after = flatten(initial(table, 3)), flatten(initial(more, 3))
    assert all((after[name] == x).all() for name, x in before.items())


def test_rows_differ_from_each_other_and_between_seeds():
    table = {"a": Weight((64,), (None,)), "b": Weight((64,), (None,))}
    one, other = initial(table, 0), initial(table, 1)
    assert (one["a"] != one["b"]).any() and (one["a"] != other["a"]).any() and (one["b"] != other["b"]).any()


def test_starting_values_are_what_the_row_says():
    rows = {"n": Weight((200, 300), (None, None), scale=0.5), "o": Weight((3,), (None,), "ones")}
    rows["f"] = Weight((4, 2), (None, None), "first")
    values = initial(rows, 0)
    assert abs(float(values["n"].std()) - 0.5) < 0.01 and abs(float(values["n"].mean())) < 0.01
    assert (values["o"] == 1).all() and (values["f"] == np.array([[1, 1], [0, 0], [0, 0], [0, 0]])).all()


def test_flat_names_and_back():
    tree = {"layers": {"0": {"a": 1, "b": 2}, "10": {"a": 3}}, "norm": 4}
    flat = flatten(tree)
    assert flat == {"layers.0.a": 1, "layers.0.b": 2, "layers.10.a": 3, "norm": 4} and unflatten(flat) == tree


def test_every_axis_name_is_known():
    """A misspelt axis would never be split, silently."""
    whole = {"width", "kv_heads", None}
    for config in (TINY, replace(TINY, layers=(replace(TINY.layers[1], shared=1),))):
        rows = jax.tree.leaves(weight_table(config), is_leaf=lambda x: isinstance(x, Weight))
        assert {axis for row in rows for axis in row.axes} <= whole | set(RULES)


@pytest.mark.parametrize(("shape", "wanted"), [((8, 6), (None, "tensor")), ((8, 5), (None, None)), ((7, 4), (None, "tensor"))])
def test_an_axis_that_does_not_divide_stays_whole(shape, wanted):
    assert tuple(spec(("width", "hidden"), make_mesh(tensor=2), shape)) == wanted
