"""WhisperEncoder: 16 x 32 in, 16 x 32 out, 22,272 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


def attend(query, key, value, heads, **options):
    """Attention in `heads` parallel parts; all tensors are batch x length x width."""
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(-3, -2) for x in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, **options).transpose(-3, -2).flatten(-2)


class WhisperAttention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.k_proj = nn.Linear(d, d, bias=False)
        self.v_proj = nn.Linear(d, d)
        self.q_proj = nn.Linear(d, d)
        self.out_proj = nn.Linear(d, d)

    def forward(self, x):  # M x d
        k_proj = self.k_proj(x)  # M x d
        v_proj = self.v_proj(x)  # M x d
        q_proj = self.q_proj(x)  # M x d
        return self.out_proj(attend(q_proj, k_proj, v_proj, self.heads))  # M x d


class WhisperEncoderLayer(nn.Module):
    def __init__(self, d, heads, hidden, p):
        super().__init__()
        self.p = p
        self.self_attn = WhisperAttention(d, heads)
        self.self_attn_layer_norm = nn.LayerNorm(d)
        self.fc1 = nn.Linear(d, hidden)
        self.fc2 = nn.Linear(hidden, d)
        self.final_layer_norm = nn.LayerNorm(d)

    def forward(self, x):  # M x d
        out = self.self_attn_layer_norm(x)  # M x d
        attended = x + F.dropout(self.self_attn(out), self.p, self.training)  # M x d
        x = self.final_layer_norm(attended)  # M x d
        x = F.gelu(self.fc1(x))  # M x hidden
        return attended + F.dropout(self.fc2(x), self.p, self.training)  # M x d


class WhisperEncoder(nn.Module):
    def __init__(self, mels=16, frames=32, d=32, heads=4, hidden=64, depth=2, p=0):
        super().__init__()
        self.p = p
        self.conv1 = nn.Conv1d(mels, d, 3, padding=1)
        self.conv2 = nn.Conv1d(d, d, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(frames // 2, d)
        self.layers = nn.Sequential(*[WhisperEncoderLayer(d, heads, hidden, p) for _ in range(depth)])
        self.layer_norm = nn.LayerNorm(d)
        for name, module in self.named_modules():
            if name == "embed_positions":
                nn.init.normal_(module.weight, std=1)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv1d):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x):  # mels x frames
        out = F.gelu(self.conv1(x))  # d x frames
        conv2 = F.gelu(self.conv2(out)).transpose(1, 2)  # (frames-1)//2+1 x d
        places = torch.arange(conv2.shape[1], device=conv2.device)  # (frames-1)//2+1
        x = F.dropout(conv2 + self.embed_positions(places), self.p, self.training)  # (frames-1)//2+1 x d
        x = self.layers(x)  # (frames-1)//2+1 x d
        return self.layer_norm(x)  # (frames-1)//2+1 x d
