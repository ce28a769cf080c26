"""Caffe's messages, as far as they say what a network computes: read from the wire format or from text.

Caffe describes a network by protobuf messages. A .caffemodel is a NetParameter in protobuf's wire format, a .prototxt
the same message as text. The table below has names, numbers, types and defaults of the fields, compared with BVLC's
src/caffe/proto/caffe.proto; `round_mode` is of its pull request 6282, `scale_train` and sizes of pools in pairs are of
its branch for OpenCL. Fields that are not listed are skipped, except in the settings of a layer that is read. The
classes of the messages are made of the table when they are needed: there is no generated code. BlobProto is missing,
since caffe_blobs.py reads numbers.

https://protobuf.dev/programming-guides/encoding/, https://protobuf.dev/reference/protobuf/textformat-spec/
"""

from __future__ import annotations

import functools
import re

from ..support import text
from .formats import library

_LARGEST_TEXT = 2**20  # bytes of a .prototxt: 200 for each of 5,000 layers
_LONGEST_LINE = 5_000  # characters

# {enumeration: its names and numbers}; an enumeration may be that of one message
_ENUMS = {
    "Phase": "TRAIN 0, TEST 1",
    "V1LayerParameter.LayerType": (
        "NONE 0, ABSVAL 35, ACCURACY 1, ARGMAX 30, BNLL 2, CONCAT 3, CONTRASTIVE_LOSS 37, CONVOLUTION 4, DATA 5, "
        "DECONVOLUTION 39, DROPOUT 6, DUMMY_DATA 32, EUCLIDEAN_LOSS 7, ELTWISE 25, EXP 38, FLATTEN 8, HDF5_DATA 9, "
        "HDF5_OUTPUT 10, HINGE_LOSS 28, IM2COL 11, IMAGE_DATA 12, INFOGAIN_LOSS 13, INNER_PRODUCT 14, LRN 15, "
        "MEMORY_DATA 29, MULTINOMIAL_LOGISTIC_LOSS 16, MVN 34, POOLING 17, POWER 26, RELU 18, SIGMOID 19, "
        "SIGMOID_CROSS_ENTROPY_LOSS 27, SILENCE 36, SOFTMAX 20, SOFTMAX_LOSS 21, SPLIT 22, SLICE 33, TANH 23, "
        "WINDOW_DATA 24, THRESHOLD 31"
    ),
    "ConvolutionParameter.Engine": "DEFAULT 0, CAFFE 1, CUDNN 2",
    "DataParameter.DB": "LEVELDB 0, LMDB 1",
    "EltwiseParameter.EltwiseOp": "PROD 0, SUM 1, MAX 2",
    "FillerParameter.VarianceNorm": "FAN_IN 0, FAN_OUT 1, AVERAGE 2",
    "LRNParameter.Engine": "DEFAULT 0, CAFFE 1, CUDNN 2",
    "LRNParameter.NormRegion": "ACROSS_CHANNELS 0, WITHIN_CHANNEL 1",
    "LossParameter.NormalizationMode": "FULL 0, VALID 1, BATCH_SIZE 2, NONE 3",
    "ParamSpec.DimCheckMode": "STRICT 0, PERMISSIVE 1",
    "PoolingParameter.Engine": "DEFAULT 0, CAFFE 1, CUDNN 2",
    "PoolingParameter.PoolMethod": "MAX 0, AVE 1, STOCHASTIC 2",
    "PoolingParameter.RoundMode": "CEIL 0, FLOOR 1",
    "ReLUParameter.Engine": "DEFAULT 0, CAFFE 1, CUDNN 2",
    "SigmoidParameter.Engine": "DEFAULT 0, CAFFE 1, CUDNN 2",
    "SoftmaxParameter.Engine": "DEFAULT 0, CAFFE 1, CUDNN 2",
    "TanHParameter.Engine": "DEFAULT 0, CAFFE 1, CUDNN 2",
}
# {message: its fields}; a field is "type name number", "type* name number" for a repeated one, "... = default"
_MESSAGES = {
    "NetParameter": (
        "string name 1, string* input 3, BlobShape* input_shape 8, int32* input_dim 4, bool force_backward 5, "
        "NetState state 6, bool debug_info 7, LayerParameter* layer 100, V1LayerParameter* layers 2"
    ),
    "NetState": "Phase phase 1 = TEST, int32 level 2, string* stage 3",
    "NetStateRule": "Phase phase 1, int32 min_level 2, int32 max_level 3, string* stage 4, string* not_stage 5",
    "LayerParameter": (
        "string name 1, string type 2, string* bottom 3, string* top 4, float* loss_weight 5, ParamSpec* param 6, "
        "NetStateRule* include 8, NetStateRule* exclude 9, Phase phase 10, bool* propagate_down 11, "
        "TransformationParameter transform_param 100, LossParameter loss_param 101, "
        "AccuracyParameter accuracy_param 102, ConcatParameter concat_param 104, "
        "ConvolutionParameter convolution_param 106, DataParameter data_param 107, DropoutParameter dropout_param 108, "
        "DummyDataParameter dummy_data_param 109, EltwiseParameter eltwise_param 110, "
        "HDF5DataParameter hdf5_data_param 112, ImageDataParameter image_data_param 115, "
        "InnerProductParameter inner_product_param 117, LRNParameter lrn_param 118, "
        "MemoryDataParameter memory_data_param 119, PoolingParameter pooling_param 121, "
        "PowerParameter power_param 122, ReLUParameter relu_param 123, SigmoidParameter sigmoid_param 124, "
        "SoftmaxParameter softmax_param 125, TanHParameter tanh_param 127, WindowDataParameter window_data_param 129, "
        "ReshapeParameter reshape_param 133, FlattenParameter flatten_param 135, "
        "BatchNormParameter batch_norm_param 139, ELUParameter elu_param 140, BiasParameter bias_param 141, "
        "ScaleParameter scale_param 142, InputParameter input_param 143"
    ),
    "V1LayerParameter": (
        "V0LayerParameter layer 1, string* bottom 2, string* top 3, string name 4, NetStateRule* include 32, "
        "NetStateRule* exclude 33, V1LayerParameter.LayerType type 5, string* param 1001, float* blobs_lr 7, "
        "float* weight_decay 8, float* loss_weight 35, AccuracyParameter accuracy_param 27, "
        "ConcatParameter concat_param 9, ConvolutionParameter convolution_param 10, DataParameter data_param 11, "
        "DropoutParameter dropout_param 12, DummyDataParameter dummy_data_param 26, EltwiseParameter eltwise_param 24, "
        "HDF5DataParameter hdf5_data_param 13, ImageDataParameter image_data_param 15, "
        "InnerProductParameter inner_product_param 17, LRNParameter lrn_param 18, "
        "MemoryDataParameter memory_data_param 22, PoolingParameter pooling_param 19, PowerParameter power_param 21, "
        "ReLUParameter relu_param 30, SigmoidParameter sigmoid_param 38, SoftmaxParameter softmax_param 39, "
        "TanHParameter tanh_param 37, WindowDataParameter window_data_param 20, "
        "TransformationParameter transform_param 36, LossParameter loss_param 42"
    ),
    "V0LayerParameter": "string name 1, string type 2",
    "BlobShape": "int64* dim 1",
    "ParamSpec": "string name 1, ParamSpec.DimCheckMode share_mode 2, float lr_mult 3 = 1, float decay_mult 4 = 1",
    "FillerParameter": (
        "string type 1 = constant, float value 2, float min 3, float max 4 = 1, float mean 5, float std 6 = 1, "
        "int32 sparse 7 = -1, FillerParameter.VarianceNorm variance_norm 8 = FAN_IN"
    ),
    "TransformationParameter": (
        "float scale 1 = 1, bool mirror 2, uint32 crop_size 3, string mean_file 4, float* mean_value 5, "
        "bool force_color 6, bool force_gray 7"
    ),
    "LossParameter": "int32 ignore_label 1, LossParameter.NormalizationMode normalization 3, bool normalize 2",
    "AccuracyParameter": "uint32 top_k 1 = 1, int32 axis 2 = 1, int32 ignore_label 3",
    "BatchNormParameter": "bool use_global_stats 1, float moving_average_fraction 2 = .999, float eps 3 = 1e-5",
    "BiasParameter": "int32 axis 1 = 1, int32 num_axes 2 = 1, FillerParameter filler 3",
    "ConcatParameter": "int32 axis 2 = 1, uint32 concat_dim 1 = 1",
    "ConvolutionParameter": (
        "uint32 num_output 1, bool bias_term 2 = true, uint32* pad 3, uint32* kernel_size 4, uint32* stride 6, "
        "uint32* dilation 18, uint32 pad_h 9, uint32 pad_w 10, uint32 kernel_h 11, uint32 kernel_w 12, "
        "uint32 stride_h 13, uint32 stride_w 14, uint32 group 5 = 1, FillerParameter weight_filler 7, "
        "FillerParameter bias_filler 8, ConvolutionParameter.Engine engine 15, int32 axis 16 = 1, "
        "bool force_nd_im2col 17"
    ),
    "DataParameter": (
        "string source 1, uint32 batch_size 4, uint32 rand_skip 7, DataParameter.DB backend 8, float scale 2 = 1, "
        "string mean_file 3, uint32 crop_size 5, bool mirror 6, bool force_encoded_color 9, uint32 prefetch 10 = 4"
    ),
    "DropoutParameter": "float dropout_ratio 1 = .5, bool scale_train 2 = true",
    "DummyDataParameter": (
        "FillerParameter* data_filler 1, BlobShape* shape 6, uint32* num 2, uint32* channels 3, uint32* height 4, "
        "uint32* width 5"
    ),
    "EltwiseParameter": (
        "EltwiseParameter.EltwiseOp operation 1 = SUM, float* coeff 2, bool stable_prod_grad 3 = true"
    ),
    "ELUParameter": "float alpha 1 = 1",
    "FlattenParameter": "int32 axis 1 = 1, int32 end_axis 2 = -1",
    "HDF5DataParameter": "string source 1, uint32 batch_size 2, bool shuffle 3",
    "ImageDataParameter": (
        "string source 1, uint32 batch_size 4 = 1, uint32 rand_skip 7, bool shuffle 8, uint32 new_height 9, "
        "uint32 new_width 10, bool is_color 11 = true, float scale 2 = 1, string mean_file 3, uint32 crop_size 5, "
        "bool mirror 6, string root_folder 12"
    ),
    "InnerProductParameter": (
        "uint32 num_output 1, bool bias_term 2 = true, FillerParameter weight_filler 3, FillerParameter bias_filler 4, "
        "int32 axis 5 = 1, bool transpose 6"
    ),
    "InputParameter": "BlobShape* shape 1",
    "LRNParameter": (
        "uint32 local_size 1 = 5, float alpha 2 = 1, float beta 3 = .75, LRNParameter.NormRegion norm_region 4, "
        "float k 5 = 1, LRNParameter.Engine engine 6"
    ),
    "MemoryDataParameter": "uint32 batch_size 1, uint32 channels 2, uint32 height 3, uint32 width 4",
    "PoolingParameter": (
        "PoolingParameter.PoolMethod pool 1, uint32* pad 4, uint32 pad_h 9, uint32 pad_w 10, uint32* kernel_size 2, "
        "uint32 kernel_h 5, uint32 kernel_w 6, uint32* stride 3, uint32 stride_h 7, uint32 stride_w 8, "
        "PoolingParameter.Engine engine 11, bool global_pooling 12, PoolingParameter.RoundMode round_mode 13"
    ),
    "PowerParameter": "float power 1 = 1, float scale 2 = 1, float shift 3",
    "ReLUParameter": "float negative_slope 1, ReLUParameter.Engine engine 2",
    "ReshapeParameter": "BlobShape shape 1, int32 axis 2, int32 num_axes 3 = -1",
    "ScaleParameter": (
        "int32 axis 1 = 1, int32 num_axes 2 = 1, FillerParameter filler 3, bool bias_term 4, "
        "FillerParameter bias_filler 5"
    ),
    "SigmoidParameter": "SigmoidParameter.Engine engine 1",
    "SoftmaxParameter": "SoftmaxParameter.Engine engine 1, int32 axis 2 = 1",
    "TanHParameter": "TanHParameter.Engine engine 1",
    "WindowDataParameter": (
        "string source 1, float scale 2 = 1, string mean_file 3, uint32 batch_size 4, uint32 crop_size 5, bool mirror 6"
    ),
}
_SCALARS = {"double": 1, "float": 2, "int64": 3, "int32": 5, "bool": 8, "string": 9, "uint32": 13}
_MESSAGE, _ENUM = 11, 14  # FieldDescriptorProto.Type, as those above
_OPTIONAL, _REPEATED = 1, 3  # FieldDescriptorProto.Label


def _protobuf(part):
    library("google.protobuf")  # which an error names where it is missing
    return library(f"google.protobuf.{part}")


@functools.cache
def _classes():
    """{name: class} of the messages."""
    pb2 = _protobuf("descriptor_pb2")
    file = pb2.FileDescriptorProto(name="minialex/caffe.proto", package="caffe", syntax="proto2")
    messages = {name: file.message_type.add(name=name) for name in _MESSAGES}
    for name, values in _ENUMS.items():
        owner, _, own = name.rpartition(".")
        enum = (messages[owner] if owner else file).enum_type.add(name=own)
        for value in values.split(", "):
            key, number = value.split()
            enum.value.add(name=key, number=int(number))
    for name, fields in _MESSAGES.items():
        for field in fields.split(", "):
            declared, _, default = field.partition(" = ")
            kind, key, number = declared.split()
            of = kind.removesuffix("*")
            type_ = _SCALARS.get(of, _ENUM if of in _ENUMS else _MESSAGE)
            messages[name].field.add(
                name=key,
                number=int(number),
                label=_REPEATED if kind.endswith("*") else _OPTIONAL,
                type=type_,
                type_name=None if of in _SCALARS else f".caffe.{of}",
                default_value=default or None,
            )
    pool = _protobuf("descriptor_pool").DescriptorPool()
    pool.Add(file)
    get = _protobuf("message_factory").GetMessageClass
    return {name: get(pool.FindMessageTypeByName(f"caffe.{name}")) for name in _MESSAGES}


def parse(name, content):
    """A message from protobuf's wire format.

    name: of the message, such as "LayerParameter".
    content: bytes.

    Returns the message.
    Raises ValueError where the bytes are not such a message, or protobuf is not installed.
    """
    made = _classes()[name]()
    try:
        made.ParseFromString(content)
    except _protobuf("message").DecodeError:
        raise ValueError(f"{len(content):,} bytes are not a message {name} of Caffe") from None
    return made


def parse_text(path):
    """The NetParameter of a .prototxt.

    path: of the file.

    Returns the message.
    Raises OSError where the file cannot be read; ValueError, with the line, where it is not a network of Caffe, and
    where a layer that could be read has a setting that Caffe does not have.
    """
    shown, text_format = text.printable(str(path)), _protobuf("text_format")
    written = text.decoded(text.content(path, _LARGEST_TEXT), shown)
    for number, line in enumerate(written.split("\n"), 1):
        if len(line) > _LONGEST_LINE:  # protobuf quotes the line again and again while it skips a field
            raise ValueError(f"{shown}, line {number}: it is longer than {_LONGEST_LINE:,} characters; break it")
    made = _classes()["NetParameter"]()
    for strict in (True, False):
        try:
            made.Clear()
            text_format.Parse(written, made, allow_unknown_field=not strict)
        except text_format.ParseError as error:
            unknown = re.search(r'Message type "caffe\.(\w+)" has no field named "(\w+)"', str(error))
            if unknown and strict and unknown[1] in _OPEN:
                continue
            why = re.sub(r"^[\d: ]+", "", str(error))
            raise ValueError(
                f"{shown}, line {error.GetLine()}: this is not the text of a network of Caffe "
                f"({text.printable(text.brief(ValueError(why)))})"
            ) from None
        except RecursionError:
            raise ValueError(f"{shown}: its braces nest too deeply for a network of Caffe") from None
        return made
    raise AssertionError


# Messages that have other fields in other versions of Caffe, which say nothing about a layer that is known.
_OPEN = {
    "NetParameter", "LayerParameter", "V1LayerParameter", "V0LayerParameter", "ParamSpec", "FillerParameter",
    "TransformationParameter", "LossParameter", "AccuracyParameter", "DataParameter", "ImageDataParameter",
    "HDF5DataParameter", "MemoryDataParameter", "DummyDataParameter", "WindowDataParameter",
}  # fmt: skip


def string(value):
    """A string of a message, printable; value: of the field, which protobuf gives as bytes where it is not UTF-8."""
    return text.printable(value if isinstance(value, str) else value.decode("utf-8", "backslashreplace"))


def unknown_fields(message):
    """Numbers of the fields of a `message` that the table does not have, a sorted list."""
    return sorted({field.field_number for field in _protobuf("unknown_fields").UnknownFieldSet(message)})
