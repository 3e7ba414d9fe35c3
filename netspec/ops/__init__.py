"""Stateless operations, one file a family: arithmetic, joining, reshaping, reducing, attention."""

FAMILIES: dict[str, str] = {
    "arithmetic": "Add Sub RSub Mul Div Pow RPow Maximum Minimum Lerp",
    "elementwise": (
        "Neg Abs Sign Square Floor Ceil Round Sqrt RSqrt Reciprocal Exp Log Log1p Sin Cos Erf Clamp To clip cast"
    ),
    "comparing": "Eq Ne Lt Le Gt Ge LogicalNot LogicalAnd LogicalOr Where logical_not logical_and logical_or",
    "joining": "Concat Stack Split Chunk Unbind cat",
    "indexing": "Select Slice Narrow IndexSelect Gather Scatter ScatterAdd IndexAdd index_select scatter_add index_add",
    "sorting": "TopK Sort ArgSort",
    "gradients": "Detach StraightThrough straight_through",
    "reshaping": "Reshape Permute Transpose MoveDim Squeeze Unsqueeze view swapaxes moveaxis",
    "repeating": "Expand Tile RepeatInterleave Roll Flip repeat_interleave",
    "spatial": "Pad Interpolate GridSample AffineGrid grid_sample affine_grid",
    "reducing": "Mean Sum AMax AMin LogSumExp Var Std VectorNorm Max Min ArgMax ArgMin Prod CumSum vector_norm",
    "normalizing": "Normalize LayerNormFunction RMSNormFunction GroupNormFunction layer_norm rms_norm group_norm",
    "algebra": "MatMul BMM CDist",
    "einsum": "Einsum",
    "attention": "SDPA MaskedFill TriL TriU scaled_dot_product_attention masked_fill",
    "sources": (
        "Zeros Ones Randn Rand Full Eye Arange Linspace Causal Constant ZerosLike OnesLike RandnLike RandLike "
        "zeros_like ones_like randn_like rand_like"
    ),
    "state": "Parameter Buffer",
    "windows": "RelativeIndex ShiftMask relative_index shift_mask",
    "lookup": "OneHot Lookup one_hot",
    "random": "DropPath drop_path stochastic_depth",
    "convolving": "Convolve",
    "fourier": "FFT IFFT RFFT IRFFT",
}
"""Each family file and every word that it answers to; a test holds this against the classes."""
