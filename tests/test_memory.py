"""A tensor shares an array's memory only where nobody can write to it, and keeps it alive."""

import gc
import weakref

import numpy as np
import pytest

from pbtbench.adapters.memory import ALIGNMENT, SHARED_BYTES, array, tensor

COUNT = 2 * SHARED_BYTES // 4


def read_only(count=COUNT, offset=0):
    """An array over a buffer that nobody can write to, at a place that suits a tensor, or `offset` beside."""
    buffer = (np.arange(count + 2 * ALIGNMENT, dtype=np.float32)).tobytes()
    start = -np.frombuffer(buffer, np.uint8).ctypes.data % ALIGNMENT + offset
    return np.frombuffer(buffer, np.float32, count, start)


def place(tensor):
    return array(tensor).ctypes.data


def test_what_nobody_can_write_to_is_not_copied():
    numbers = read_only()
    shared = tensor(numbers, "float32")
    assert place(shared) == numbers.ctypes.data
    assert (shared.numpy() == numbers).all()


def test_the_memory_lasts_as_long_as_the_tensor():
    class Buffer(np.ndarray):
        """An array that can be watched."""

    numbers = read_only().view(Buffer)
    gone = weakref.ref(numbers)
    shared, expected = tensor(numbers, "float32"), numbers[:3].tolist()
    del numbers
    gc.collect()
    assert gone() is not None
    assert shared[:3].numpy().tolist() == expected
    del shared
    gc.collect()
    assert gone() is None


def test_training_on_shared_memory_leaves_it_as_it_is():
    import tensorflow as tf

    numbers = read_only()
    before = numbers.copy()
    variable = tf.Variable(tf.zeros_like(numbers))

    @tf.function
    def trained(value):
        variable.assign(value)
        variable.assign_add(tf.ones_like(value))
        return variable.read_value()

    after = trained(tensor(numbers, "float32"))
    assert (numbers == before).all()
    assert (after.numpy() == before + 1).all()


@pytest.mark.parametrize(
    "numbers",
    [
        np.ones(COUNT, np.float32),
        np.ones(COUNT, np.float32)[:],
        read_only(offset=4),
        read_only(count=4),
        read_only()[::2],
        read_only().astype(np.float64),
    ],
    ids=["own", "view", "misplaced", "small", "strided", "another type"],
)
def test_anything_else_is_copied(numbers):
    copied = tensor(numbers, "float32")
    assert place(copied) != numbers.ctypes.data
    assert (copied.numpy() == numbers).all()


def test_a_locked_array_may_be_unlocked_and_is_copied():
    numbers = np.ones(COUNT, np.float32)
    numbers.flags.writeable = False
    copied = tensor(numbers, "float32")
    numbers.flags.writeable = True
    numbers[:] = 7
    assert (copied.numpy() == 1).all()
