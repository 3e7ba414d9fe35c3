"""The layers of torch.nn, one file a family. `FAMILIES` says which file answers to which words."""

FAMILIES: dict[str, str] = {
    "convolution": (
        "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d conv conv_transpose1d conv_transpose "
        "conv_transpose2d conv_transpose3d"
    ),
    "linear": "Linear FC Bilinear Identity fc",
    "pooling": (
        "MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d LPPool1d LPPool2d LPPool3d MaxUnpool1d "
        "MaxUnpool2d MaxUnpool3d max_pool1d pool maxpool max_pool max_pool2d max_pool3d avg_pool1d avgpool avg_pool "
        "avg_pool2d avg_pool3d lp_pool1d lp_pool lp_pool2d lp_pool3d max_unpool1d max_unpool max_unpool2d "
        "max_unpool3d"
    ),
    "adaptive": (
        "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d "
        "GAP FractionalMaxPool2d FractionalMaxPool3d adaptive_avg_pool1d adaptive_avgpool adaptive_avg_pool "
        "adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_maxpool adaptive_max_pool "
        "adaptive_max_pool2d adaptive_max_pool3d gap fractional_max_pool2d fractional_max_pool fractional_max_pool3d"
    ),
    "normalisation": (
        "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d GroupNorm bn "
        "batchnorm batch_norm sync_batchnorm sync_batch_norm instancenorm instance_norm"
    ),
    "layernorm": "LayerNorm RMSNorm LocalResponseNorm CrossMapLRN2d local_response_norm",
    "activation": (
        "ReLU ReLU6 LeakyReLU PReLU RReLU ELU CELU SELU GELU SiLU Mish Hardswish Sigmoid LogSigmoid Hardsigmoid Tanh "
        "Hardtanh Tanhshrink Softplus Softsign Softshrink Hardshrink Threshold leaky_relu swish log_sigmoid"
    ),
    "softmax": "Softmax Softmin LogSoftmax Softmax2d GLU log_softmax",
    "dropout": (
        "Dropout AlphaDropout FeatureAlphaDropout Dropout1d Dropout2d Dropout3d alpha_dropout feature_alpha_dropout "
        "channel_dropout"
    ),
    "padding": (
        "ZeroPad1d ZeroPad2d ZeroPad3d ConstantPad1d ConstantPad2d ConstantPad3d ReflectionPad1d ReflectionPad2d "
        "ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d CircularPad1d CircularPad2d CircularPad3d "
        "zero_pad zeropad constant_pad constantpad reflection_pad reflectionpad replication_pad replicationpad "
        "circular_pad circularpad"
    ),
    "shape": "Flatten Unflatten ChannelShuffle channel_shuffle",
    "vision": (
        "Upsample UpsamplingNearest2d UpsamplingBilinear2d PixelShuffle PixelUnshuffle Unfold Fold "
        "upsampling_nearest2d upsampling_bilinear2d pixel_shuffle pixel_unshuffle"
    ),
    "distance": "CosineSimilarity PairwiseDistance cosine_similarity pairwise_distance",
    "embedding": "Embedding EmbeddingBag embedding_bag",
    "recurrent": "RNN GRU LSTM RNNCell GRUCell LSTMCell rnn_cell gru_cell lstm_cell",
    "attention": "MultiheadAttention Attention multihead_attention",
    "transformer": (
        "TransformerEncoderLayer TransformerDecoderLayer TransformerEncoder TransformerDecoder Transformer "
        "transformer_encoder_layer transformer_decoder_layer transformer_encoder transformer_decoder"
    ),
}
"""Each family file and every word that it answers to; a test holds this against the classes."""

KINDS: dict[str, tuple[str, ...]] = {"norm": ("normalisation", "layernorm")}
"""Words for all layers of some families, which a spec may use where it names layers of a kind."""
