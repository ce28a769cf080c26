"""Names of torch for which minialex has nothing: written by tests/helpers/missing_names.py."""

NAMES = {
    "Tensor": """
        H abs_ absolute absolute_ acos acos_ acosh acosh_ addbmm addbmm_ addcdiv addcdiv_ addcmul addcmul_ addmm_ addmv
        addmv_ addr addr_ adjoint aminmax angle apply_ arccos arccos_ arccosh arccosh_ arcsin arcsin_ arcsinh arcsinh_
        arctan arctan2 arctan2_ arctan_ arctanh arctanh_ argwhere as_strided as_strided_ as_strided_scatter as_subclass
        asin asin_ asinh asinh_ atan atan2 atan2_ atan_ atanh atanh_ baddbmm baddbmm_ bernoulli bernoulli_ bitwise_and_
        bitwise_left_shift bitwise_left_shift_ bitwise_not_ bitwise_or_ bitwise_right_shift bitwise_right_shift_
        bitwise_xor_ broadcast_to cauchy_ ccol_indices cdouble ceil_ cfloat chalf cholesky cholesky_inverse
        cholesky_solve clamp_max clamp_max_ clamp_min clamp_min_ coalesce col_indices conj conj_physical conj_physical_
        const_data_ptr copysign copysign_ corrcoef cos_ cosh cosh_ count_nonzero cov cross crow_indices cummax cummin
        cumprod_ cumsum_ deg2rad deg2rad_ dense_dim dequantize det diag diag_embed diagflat diagonal diagonal_scatter
        diff digamma digamma_ dim_order dist divide_ dsplit eig eq_ erf erf_ erfc erfc_ erfinv erfinv_ exp2 exp2_ expm1_
        exponential_ fill_diagonal_ fix fix_ fliplr flipud float_power float_power_ floor_ floor_divide_ fmax fmin fmod_
        frac frac_ frexp gcd gcd_ ge_ geometric_ geqrf ger grad_dtype greater greater_ greater_equal greater_equal_ gt_
        hardshrink hash_tensor heaviside heaviside_ histc histogram hsplit hypot hypot_ i0 i0_ igamma igamma_ igammac
        igammac_ imag index index_add index_add_ index_copy index_copy_ index_fill index_put index_reduce index_reduce_
        indices int_repr inverse ipu is_coalesced is_complex is_conj is_cpu is_distributed is_inference is_ipu is_maia
        is_meta is_mkldnn is_mps is_mtia is_neg is_nested is_nonzero is_pinned is_quantized is_same_size is_set_to
        is_shared is_signed is_sparse is_sparse_csr is_vulkan is_xla is_xpu isclose isneginf isposinf isreal istft
        itemsize kron kthvalue layout lcm lcm_ ldexp ldexp_ le_ lerp lerp_ less less_ less_equal less_equal_ lgamma
        lgamma_ log10_ log1p_ log2_ log_ log_normal_ logaddexp logaddexp2 logcumsumexp logdet logical_and_ logical_not_
        logical_or_ logical_xor logical_xor_ logit logit_ lstsq lt_ lu lu_solve mH map2_ map_ masked_scatter
        masked_scatter_ matrix_exp matrix_power mode module_load msort mtia multinomial multiply_ mvlgamma mvlgamma_
        name nan_to_num nan_to_num_ nanmean nanmedian nanquantile narrow_copy ne_ neg_ negative_ new new_empty
        new_empty_strided nextafter nextafter_ nonzero_static not_equal not_equal_ orgqr ormqr output_nr pinverse
        polygamma polygamma_ positive prelu put put_ q_per_channel_axis q_per_channel_scales q_per_channel_zero_points
        q_scale q_zero_point qr qscheme quantile rad2deg rad2deg_ random_ real reciprocal_ record_stream reinforce
        remainder_ renorm renorm_ repeat_interleave resize resize_ resize_as resize_as_ resize_as_sparse_ resolve_conj
        resolve_neg roll rot90 round_ row_indices rsqrt_ scatter scatter_add scatter_add_ scatter_reduce scatter_reduce_
        select_scatter set_ sgn sgn_ share_memory_ sigmoid_ sign_ signbit sin_ sinc sinc_ sinh sinh_ slice_inverse
        slice_scatter slogdet smm solve sparse_dim sparse_mask sparse_resize_ sparse_resize_and_clear_ split_with_sizes
        square_ sspaddmm stft storage storage_offset storage_type subtract_ sum_to_size svd swapaxes_ swapdims_ symeig
        t_ tan_ tanh_ tensor_split to_dense to_mkldnn to_padded_tensor to_sparse to_sparse_bsc to_sparse_bsr
        to_sparse_coo to_sparse_csc to_sparse_csr trace transpose_ triangular_solve tril tril_ triu triu_ true_divide_
        trunc_ unfold unique_consecutive unsafe_chunk unsafe_split unsafe_split_with_sizes untyped_storage values vdot
        volatile vsplit xlogy xlogy_ xpu
    """,
    "Module": """
        T_destination call_super_init dump_patches get_extra_state ipu mtia set_extra_state set_submodule xpu
    """,
    "functional": """
        BroadcastingList1 BroadcastingList2 BroadcastingList3 GRID_SAMPLE_INTERPOLATION_MODES GRID_SAMPLE_PADDING_MODES
        ScalingType SwizzleType Tensor adaptive_avg_pool1d adaptive_avg_pool3d adaptive_max_pool1d
        adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices adaptive_max_pool3d
        adaptive_max_pool3d_with_indices affine_grid alpha_dropout assert_int_or_pair avg_pool3d bilinear
        boolean_dispatch celu_ channel_shuffle conv3d conv_tbc conv_transpose1d conv_transpose3d cosine_embedding_loss
        ctc_loss dropout3d elu_ embedding_bag feature_alpha_dropout fold fractional_max_pool2d
        fractional_max_pool2d_with_indices fractional_max_pool3d fractional_max_pool3d_with_indices gaussian_nll_loss
        grad grouped_mm gumbel_softmax handle_torch_function hardshrink hardtanh_ has_torch_function
        has_torch_function_unary has_torch_function_variadic hinge_embedding_loss leaky_relu_ linear_cross_entropy
        lp_pool1d lp_pool2d lp_pool3d margin_ranking_loss max_pool1d_with_indices max_pool2d_with_indices max_pool3d
        max_pool3d_with_indices max_unpool1d max_unpool2d max_unpool3d multi_head_attention_forward multi_margin_loss
        multilabel_margin_loss multilabel_soft_margin_loss native_channel_shuffle pdist pixel_unshuffle poisson_nll_loss
        reproducibility_notes rms_norm rrelu rrelu_ scaled_grouped_mm scaled_mm selu_ soft_margin_loss softshrink
        sparse_support_notes tanhshrink tf32_notes threshold_ torch triplet_margin_loss
        triplet_margin_with_distance_loss upsample_bilinear upsample_nearest
    """,
    "nn": """
        AdaptiveAvgPool1d AdaptiveAvgPool3d AdaptiveLogSoftmaxWithLoss AdaptiveMaxPool1d AdaptiveMaxPool3d AlphaDropout
        AvgPool3d BatchNorm3d Bilinear Buffer CELU CTCLoss ChannelShuffle CircularPad1d CircularPad2d CircularPad3d
        ConstantPad1d ConstantPad3d Container Conv3d ConvTranspose1d ConvTranspose3d CosineEmbeddingLoss
        CosineSimilarity CrossMapLRN2d Dropout3d EmbeddingBag FeatureAlphaDropout Fold FractionalMaxPool2d
        FractionalMaxPool3d GLU GRU GRUCell GaussianNLLLoss Hardshrink HingeEmbeddingLoss InstanceNorm1d InstanceNorm3d
        LPPool1d LPPool2d LPPool3d LSTM LSTMCell LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d LazyConv1d LazyConv2d
        LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d LazyInstanceNorm1d LazyInstanceNorm2d
        LazyInstanceNorm3d LazyLinear LinearCrossEntropyLoss LinearCrossEntropyOptions MarginRankingLoss MaxPool3d
        MaxUnpool1d MaxUnpool2d MaxUnpool3d MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss
        MultiheadAttention NLLLoss2d PairwiseDistance PixelUnshuffle PoissonNLLLoss RMSNorm RNN RNNBase RNNCell
        RNNCellBase RReLU ReflectionPad1d ReflectionPad3d ReplicationPad1d ReplicationPad3d SoftMarginLoss Softmin
        Softshrink SyncBatchNorm Tanhshrink Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder
        TransformerEncoderLayer TripletMarginLoss TripletMarginWithDistanceLoss Unfold UninitializedBuffer
        UninitializedParameter ZeroPad1d ZeroPad3d attention common_types factory_kwargs grad intrinsic modules parallel
        parameter qat quantizable quantized
    """,
    "nn.init": """
        constant dirac dirac_ eye eye_ kaiming_normal kaiming_uniform normal orthogonal sparse sparse_ torch uniform
        xavier_normal xavier_uniform
    """,
    "nn.utils": """
        clip_grad clip_grad_norm clip_grads_with_norm_ convert_conv2d_weight_memory_format
        convert_conv3d_weight_memory_format convert_parameters fuse_conv_bn_eval fuse_conv_bn_weights
        fuse_linear_bn_eval fuse_linear_bn_weights fusion get_total_norm init memory_format parameters_to_vector
        parametrizations parametrize remove_spectral_norm remove_weight_norm rnn skip_init spectral_norm stateless
        vector_to_parameters weight_norm
    """,
    "optim": """
        ASGD Adafactor LBFGS Muon Rprop swa_utils swap_in_optimizer_params_and_state
    """,
    "optim.lr_scheduler": """
        EPOCH_DEPRECATION_WARNING inf
    """,
    "data": """
        BatchSampler ChainDataset DFIterDataPipe DataChunk DistributedSampler IterDataPipe IterableDataset MapDataPipe
        StackDataset SubsetRandomSampler WeightedRandomSampler argument_validation datapipes default_convert distributed
        functional_datapipe get_worker_info graph graph_settings guaranteed_datapipes_determinism non_deterministic
        runtime_validation runtime_validation_disabled sampler
    """,
}
