"""LSTMLanguageModel: T x B, 2 x B x 40, 2 x B x 40 in, B*T x 120, 2 x B x 40, 2 x B x 40 out, 31,480 parameters."""

import torch.nn.functional as F
from torch import nn


class LSTMLanguageModel(nn.Module):
    def __init__(self, vocab=120, d=24, hidden=40):
        super().__init__()
        self.vocab = vocab
        self.encoder = nn.Embedding(vocab, d)
        self.rnn = nn.LSTM(d, hidden, num_layers=2, dropout=0.2)
        self.decoder = nn.Linear(hidden, vocab)
        nn.init.uniform_(self.encoder.weight, a=-0.1, b=0.1)
        nn.init.zeros_(self.decoder.bias)
        nn.init.uniform_(self.decoder.weight, a=-0.1, b=0.1)

    def forward(self, x, h0, c0):
        x = F.dropout(self.encoder(x), 0.2, self.training)  # T x B x d
        output, (h, c) = self.rnn(x, (h0, c0))  # T x B x hidden
        x = self.decoder(F.dropout(output, 0.2, self.training))  # T x B x vocab
        x = F.log_softmax(x.reshape(-1, self.vocab), dim=1)  # B*T x vocab
        return x, h, c
