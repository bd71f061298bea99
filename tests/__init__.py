"""The tests. Their imports leave a million objects and no garbage: nothing searches them, here or later."""

import gc

gc.disable()  # until all tests are collected, see conftest.py
