"""Names of array types, for annotations; shapes are given in the docstrings."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Int8Array = npt.NDArray[np.int8]
Int16Array = npt.NDArray[np.int16]
#: 64 flags in a number.
WordArray = npt.NDArray[np.uint64]
BoolArray = npt.NDArray[np.bool_]
#: Of str, and None where there is no value.
TextArray = npt.NDArray[np.object_]
