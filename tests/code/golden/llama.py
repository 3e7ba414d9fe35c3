"""LlamaForCausalLM: T in, T x 32000 out, 44,372,480 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class Rotary(nn.Module):
    def forward(self, x, cos, sin):
        halves0, halves1 = x.chunk(2, dim=-1)  # C x T x W/2
        out = -halves1  # C x T x W/2
        out = torch.cat([out, halves0], dim=-1)  # C x T x W
        rotated = out * sin  # C x T x W
        x = x * cos  # C x T x W
        return x + rotated  # C x T x W


class LlamaAttention(nn.Module):
    def __init__(self, in_features):
        super().__init__()
        self.q_proj = nn.Linear(in_features, 512, bias=False)
        self.k_proj = nn.Linear(in_features, 256, bias=False)
        self.v_proj = nn.Linear(in_features, 256, bias=False)
        self.query = Rotary()
        self.key = Rotary()
        self.o_proj = nn.Linear(512, 512, bias=False)

    def forward(self, x, cos, sin):
        q_proj = self.q_proj(x).unflatten(-1, (8, 64)).transpose(1, 2)  # 8 x T x 64
        k_proj = self.k_proj(x).unflatten(-1, (4, 64)).transpose(1, 2)  # 4 x T x 64
        v_proj = self.v_proj(x).unflatten(-1, (4, 64)).transpose(1, 2)  # 4 x T x 64
        query = self.query(q_proj, cos, sin)  # 8 x T x 64
        key = self.key(k_proj, cos, sin)  # 4 x T x 64
        x = F.scaled_dot_product_attention(query, key, v_proj, is_causal=True, enable_gqa=True)  # 8 x T x 64
        return self.o_proj(torch.flatten(x.transpose(1, 2), 2))  # T x 512


class LlamaMLP(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.gate_proj = nn.Linear(512, hidden, bias=False)
        self.up_proj = nn.Linear(512, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, 512, bias=False)

    def forward(self, x):  # T x 512
        gate_proj = F.silu(self.gate_proj(x))  # T x hidden
        up_proj = self.up_proj(x)  # T x hidden
        return self.down_proj(gate_proj * up_proj)  # T x 512


class LlamaDecoderLayer(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.self_attn = LlamaAttention(512)
        self.mlp = LlamaMLP(hidden)
        self.input_layernorm = nn.RMSNorm(512, eps=1e-6)
        self.post_attention_layernorm = nn.RMSNorm(512, eps=1e-6)

    def forward(self, x, cos, sin):
        out = self.input_layernorm(x)  # T x 512
        out = self.self_attn(out, cos, sin)  # T x 512
        self_attn = x + out  # T x 512
        x = self.post_attention_layernorm(self_attn)  # T x 512
        x = self.mlp(x)  # T x 512
        return self_attn + x  # T x 512


class Layers(nn.ModuleList):
    def __init__(self, hidden, depth):
        super().__init__([LlamaDecoderLayer(hidden) for _ in range(depth)])

    def forward(self, x, cos, sin):
        for layer in self:
            x = layer(x, cos, sin)  # T x 512
        return x


class Model(nn.Module):
    def __init__(self, vocab, hidden, depth, theta):
        super().__init__()
        self.theta = theta
        self.embed_tokens = nn.Embedding(vocab, 512)
        self.layers = Layers(hidden, depth)
        self.norm = nn.RMSNorm(512, eps=1e-6)

    def forward(self, x):
        positions = torch.arange(x.shape[1], device=x.device).unsqueeze(1)  # T x 1
        out = torch.arange(32, device=x.device)  # 32
        frequencies = self.theta ** (out * -0.03125).to(next(self.parameters()).dtype)  # 32
        out = positions * frequencies  # T x 32
        angles = torch.cat([out, out], dim=-1)  # T x 64
        cos = torch.cos(angles)  # T x 64
        sin = torch.sin(angles)  # T x 64
        x = self.embed_tokens(x)  # T x 512
        x = self.layers(x, cos, sin)  # T x 512
        return self.norm(x)  # T x 512


class LlamaForCausalLM(nn.Module):
    def __init__(self, vocab=32000, hidden=1376, depth=4, theta=10000.0):
        super().__init__()
        self.model = Model(vocab, hidden, depth, theta)
        self.lm_head = nn.Linear(512, vocab, bias=False)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, x):  # T
        x = self.model(x)  # T x 512
        return self.lm_head(x)  # T x vocab
