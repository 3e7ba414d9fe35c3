"""Functions and classes that a printed module needs above the network's, and what of torch each of them names."""

from __future__ import annotations

from typing import Final

HELPERS: Final[dict[str, str]] = {
    "LoraLinear": '''\
class LoraLinear(nn.Linear):
    """A linear layer, and beside it the product of two small matrices, which alone are trained."""

    def __init__(self, *args, rank, alpha, dropout=0.0, rslora=False, **options):
        super().__init__(*args, **options)
        self.lora_A = nn.Linear(self.in_features, rank, bias=False)
        self.lora_B = nn.Linear(rank, self.out_features, bias=False)
        self.lora_dropout = nn.Dropout(dropout)
        self.scaling = alpha / (math.sqrt(rank) if rslora else rank)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x):
        return super().forward(x) + self.lora_B(self.lora_A(self.lora_dropout(x))) * self.scaling
''',
    **{
        f"LoraConv{dims}d": f'''\
class LoraConv{dims}d(nn.Conv{dims}d):
    """A convolution, and beside it one of few channels and one of a single point, which alone are trained."""

    def __init__(self, *args, rank, alpha, dropout=0.0, rslora=False, **options):
        super().__init__(*args, **options)
        window = (self.kernel_size, self.stride, self.padding, self.dilation)
        mode = self.padding_mode
        self.lora_A = nn.Conv{dims}d(self.in_channels, rank, *window, bias=False, padding_mode=mode)
        self.lora_B = nn.Conv{dims}d(rank, self.out_channels, 1, bias=False)
        self.lora_dropout = nn.Dropout(dropout)
        self.scaling = alpha / (math.sqrt(rank) if rslora else rank)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x):
        return super().forward(x) + self.lora_B(self.lora_A(self.lora_dropout(x))) * self.scaling
'''
        for dims in (1, 2, 3)
    },
    "LoraEmbedding": '''\
class LoraEmbedding(nn.Embedding):
    """An embedding, and beside it the product of two small matrices, which alone are trained."""

    def __init__(self, *args, rank, alpha, rslora=False, **options):
        super().__init__(*args, **options)
        self.lora_embedding_A = nn.Parameter(torch.zeros(rank, self.num_embeddings))
        self.lora_embedding_B = nn.Parameter(torch.empty(self.embedding_dim, rank))
        self.scaling = alpha / (math.sqrt(rank) if rslora else rank)
        nn.init.normal_(self.lora_embedding_B)

    def forward(self, x):
        rows = F.embedding(x, self.lora_embedding_A.mT, self.padding_idx, scale_grad_by_freq=self.scale_grad_by_freq)
        return super().forward(x) + rows @ self.lora_embedding_B.mT * self.scaling
''',
    "LoraMultiheadAttention": '''\
class LoraMultiheadAttention(nn.MultiheadAttention):
    """Attention whose projections are changed by products of two small matrices, which alone are trained.

    That of the output counts twice, as in peft, so that adapters of either are those of the other.
    """

    def __init__(self, *args, rank, alpha, rslora=False, **options):
        super().__init__(*args, **options)
        width = self.embed_dim
        self.lora_A = nn.Linear(width, rank, bias=False)
        self.lora_B = nn.Linear(rank, 3 * width, bias=False)
        self.out_proj.lora_A = nn.Linear(width, rank, bias=False)
        self.out_proj.lora_B = nn.Linear(rank, width, bias=False)
        self.scaling = alpha / (math.sqrt(rank) if rslora else rank)
        nn.init.zeros_(self.lora_B.weight)
        nn.init.zeros_(self.out_proj.lora_B.weight)

    def forward(self, query, key, value, key_padding_mask=None, attn_mask=None, **options):
        out, masks = self.out_proj, {"key_padding_mask": key_padding_mask, "attn_mask": attn_mask}
        into = self.in_proj_weight + self.lora_B.weight @ self.lora_A.weight * self.scaling
        weight = out.weight + out.lora_B.weight @ out.lora_A.weight * (2 * self.scaling)
        shape = (self.embed_dim, self.num_heads, into, self.in_proj_bias, self.bias_k, self.bias_v, self.add_zero_attn)
        if self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        result, weights = F.multi_head_attention_forward(
            query, key, value, *shape, self.dropout, weight, out.bias, self.training, **masks, **options
        )
        return result.transpose(0, 1) if self.batch_first else result, weights
''',
    "Permute": '''\
class Permute(nn.Module):
    """Puts the axes into another order."""

    def __init__(self, *dims):
        super().__init__()
        self.dims = dims

    def forward(self, x):
        return x.permute(self.dims)
''',
    "Slice": '''\
class Slice(nn.Module):
    """Takes a stretch of an axis: `x[:, :, start:stop]`."""

    def __init__(self, dim, start=0, stop=None, step=1):
        super().__init__()
        self.dim, self.start, self.stop, self.step = dim, start, stop, step

    def forward(self, x):
        places = [slice(None)] * x.ndim
        places[self.dim] = slice(self.start, self.stop, self.step)
        return x[tuple(places)]
''',
    "Transpose": '''\
class Transpose(nn.Module):
    """Exchanges two axes."""

    def __init__(self, dim0, dim1):
        super().__init__()
        self.dim0, self.dim1 = dim0, dim1

    def forward(self, x):
        return x.transpose(self.dim0, self.dim1)
''',
    "attend": '''\
def attend(query, key, value, heads, **options):
    """Attention in `heads` parallel parts; all tensors are batch x length x width."""
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(-3, -2) for x in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, **options).transpose(-3, -2).flatten(-2)
''',
    "causal_mask": '''\
def causal_mask(x, axis):
    """Hides what follows each place along an axis: minus infinity above the diagonal."""
    return nn.Transformer.generate_square_subsequent_mask(x.shape[axis], device=x.device)
''',
    "convolve_each": '''\
def convolve_each(x, weight, stride=1, padding=0, dilation=1, groups=1):
    """Convolve each sample with filters of its own: all samples beside each other, as groups of one."""
    batch, channels, *size = x.shape
    convolve = (F.conv1d, F.conv2d, F.conv3d)[len(size) - 1]
    x = x.reshape(1, batch * channels, *size)
    x = convolve(x, weight.flatten(0, 1), None, stride, padding, dilation, batch * groups)
    return x.view(batch, -1, *x.shape[2:])
''',
    "drop_path": '''\
def drop_path(x, p, training):
    """Stochastic depth: in training, zero whole samples with probability `p` and scale up the others."""
    if p == 0 or not training:
        return x
    kept = x.new_empty(x.shape[0], *[1] * (x.ndim - 1)).bernoulli_(1 - p)
    return x * (kept / (1 - p))
''',
    "relative_index": '''\
def relative_index(height, width):
    """For each two places of a window, the row of a (2 height - 1) x (2 width - 1) table that they share."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    y, x = y.flatten(), x.flatten()
    return (y[:, None] - y + height - 1) * (2 * width - 1) + x[:, None] - x + width - 1
''',
    "shift_mask": '''\
def shift_mask(size, window, shift):
    """For each window of a map that was rolled by `shift`: -100 between places from different sides, else 0."""
    y, x = ((torch.arange(n) >= n - w).int() + (torch.arange(n) >= n - s) for n, w, s in zip(size, window, shift))
    sides = (3 * y[:, None] + x).view(size[0] // window[0], window[0], size[1] // window[1], window[1])
    sides = sides.transpose(1, 2).reshape(-1, 1, window[0] * window[1])
    return (sides != sides.mT) * -100.0
''',
    "sincos": '''\
def sincos(*size):
    """The position table of "Attention Is All You Need": sines and cosines, in turn, of falling frequency."""
    length, width = max(size[:-1]), size[-1]
    angles = torch.arange(length)[:, None] * 10000.0 ** (-torch.arange(0, width, 2) / width)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).view(size)
''',
    "straight_through": '''\
def straight_through(hard, soft):
    """The values of `hard`, and for `soft` the gradient that they get."""
    return soft + (hard - soft).detach()
''',
}
"""Each by its name, which stands among the names of the rules that call it."""
