"""CLIPModel: T, 3 x 32 x 32 in, B, 24, 24 out, 70,945 parameters."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


def attend(query, key, value, heads, **options):
    """Attention in `heads` parallel parts; all tensors are batch x length x width."""
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(-3, -2) for x in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, **options).transpose(-3, -2).flatten(-2)


class TextModelEmbeddings(nn.Module):
    def __init__(self, vocab, context, text_d):
        super().__init__()
        self.token_embedding = nn.Embedding(vocab, text_d)
        self.position_embedding = nn.Embedding(context, text_d)

    def forward(self, x):
        token_embedding = self.token_embedding(x)  # T x text_d
        places = torch.arange(x.shape[1], device=x.device)  # T
        return token_embedding + self.position_embedding(places)  # T x text_d


class CLIPAttention(nn.Module):
    def __init__(self, in_features, heads, causal):
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.k_proj = nn.Linear(in_features, in_features)
        self.v_proj = nn.Linear(in_features, in_features)
        self.q_proj = nn.Linear(in_features, in_features)
        self.out_proj = nn.Linear(in_features, in_features)

    def forward(self, x):  # M x in_features
        k_proj = self.k_proj(x)  # M x in_features
        v_proj = self.v_proj(x)  # M x in_features
        q_proj = self.q_proj(x)  # M x in_features
        x = attend(q_proj, k_proj, v_proj, self.heads, is_causal=self.causal)  # M x in_features
        return self.out_proj(x)  # M x in_features


class QuickGelu(nn.Module):
    def forward(self, x):  # M x L
        return x * torch.sigmoid(x * 1.702)


class CLIPEncoderLayer(nn.Module):
    def __init__(self, in_features, heads, hidden, causal=False):
        super().__init__()
        self.self_attn = CLIPAttention(in_features, heads, causal)
        self.layer_norm1 = nn.LayerNorm(in_features)
        self.mlp = nn.Sequential(
            OrderedDict(fc1=nn.Linear(in_features, hidden), fc1_1=QuickGelu(), fc2=nn.Linear(hidden, in_features))
        )
        self.layer_norm2 = nn.LayerNorm(in_features)

    def forward(self, x):  # M x in_features
        out = self.layer_norm1(x)  # M x in_features
        attended = x + self.self_attn(out)  # M x in_features
        x = self.layer_norm2(attended)  # M x in_features
        return attended + self.mlp(x)  # M x in_features


class TextModel(nn.Module):
    def __init__(self, vocab, context, end, text_d, text_heads, text_hidden, text_depth):
        super().__init__()
        self.end = end
        self.text_d = text_d
        self.embeddings = TextModelEmbeddings(vocab, context, text_d)
        self.encoder = nn.Sequential(
            OrderedDict(
                layers=nn.Sequential(
                    *[CLIPEncoderLayer(text_d, text_heads, text_hidden, causal=True) for _ in range(text_depth)]
                )
            )
        )
        self.final_layer_norm = nn.LayerNorm(text_d)

    def forward(self, x):
        out = self.embeddings(x)  # T x text_d
        out = self.encoder(out)  # T x text_d
        final_layer_norm = self.final_layer_norm(out)  # T x text_d
        x = (x == self.end).long().argmax(1).unsqueeze(-1).unsqueeze(-1)  # 1 x 1
        ends = x.expand(x.shape[0], 1, self.text_d)  # 1 x text_d
        return final_layer_norm.gather(1, ends).squeeze(1)  # text_d


class VisionModelEmbeddings(nn.Module):
    def __init__(self, image, patch, d):
        super().__init__()
        self.d = d
        self.end = (image // patch) ** 2 + 1
        self.class_embedding = nn.Parameter(nn.init.normal_(torch.empty(d), std=d**-0.5))
        self.patch_embedding = nn.Conv2d(3, d, patch, stride=patch, bias=False)
        self.position_embedding = nn.Embedding((image // patch) ** 2 + 1, d)

    def forward(self, x):
        patch_embedding = torch.flatten(self.patch_embedding(x), 2).transpose(1, 2)  # (image//patch)**2 x d
        class_ = self.class_embedding.expand(x.shape[0], 1, self.d)  # 1 x d
        tokens = torch.cat([class_, patch_embedding], dim=1)  # 1+(image//patch)**2 x d
        places = torch.arange(self.end, device=x.device)  # (image//patch)**2+1
        return tokens + self.position_embedding(places)  # 1+(image//patch)**2 x d


class VisionModel(nn.Module):
    def __init__(self, image, patch, d, heads, hidden, depth):
        super().__init__()
        self.embeddings = VisionModelEmbeddings(image, patch, d)
        self.pre_layrnorm = nn.LayerNorm(d)
        self.encoder = nn.Sequential(
            OrderedDict(layers=nn.Sequential(*[CLIPEncoderLayer(d, heads, hidden) for _ in range(depth)]))
        )
        self.post_layernorm = nn.LayerNorm(d)

    def forward(self, x):
        x = self.embeddings(x)  # 1+(image//patch)**2 x d
        x = self.pre_layrnorm(x)  # 1+(image//patch)**2 x d
        x = self.encoder(x)  # 1+(image//patch)**2 x d
        return self.post_layernorm(x[:, 0])  # d


class CLIPModel(nn.Module):
    def __init__(
        self,
        vocab=99,
        context=16,
        end=98,
        text_d=32,
        text_heads=4,
        text_hidden=64,
        text_depth=2,
        image=32,
        patch=8,
        d=48,
        heads=4,
        hidden=96,
        depth=2,
        embedding=24,
    ):
        super().__init__()
        self.logit_scale = nn.Parameter(torch.full((), 2.6592))
        self.text_model = TextModel(vocab, context, end, text_d, text_heads, text_hidden, text_depth)
        self.vision_model = VisionModel(image, patch, d, heads, hidden, depth)
        self.visual_projection = nn.Linear(d, embedding, bias=False)
        self.text_projection = nn.Linear(text_d, embedding, bias=False)
        for module in self.modules():
            if isinstance(module, (nn.Embedding, nn.Conv2d)):
                nn.init.normal_(module.weight, std=0.02)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, input_ids, pixel_values):
        x = self.text_model(input_ids)  # text_d
        text_projection = F.normalize(self.text_projection(x), dim=-1)  # embedding
        x = self.vision_model(pixel_values)  # d
        visual_projection = F.normalize(self.visual_projection(x), dim=-1)  # embedding
        texts = text_projection.transpose(0, 1)  # embedding x B
        scale = torch.exp(self.logit_scale)
        x = visual_projection @ texts * scale  # B
        return {"logits_per_image": x, "text_embeds": text_projection, "image_embeds": visual_projection}
