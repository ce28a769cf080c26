// The kinds of layers: what each computes, forwards and backwards, and what its numbers are made of.
import { elu, dropout, gelu, identity, leakyRelu, relu, sigmoid, silu, softplus, tanh } from "./activation.js";
import { contrastNorm } from "./contrast.js";
import { conv2d, local2d } from "./convolution.js";
import { add, concat, divide, flatten, maximum, minimum, multiply, subtract } from "./joining.js";
import { linear } from "./linear.js";
import { batchNorm, localResponseNorm } from "./normalization.js";
import * as pointwise from "./pointwise.js";
import { avgPool2d, maxPool2d, stochasticMax, stochasticPool2d } from "./pooling.js";
import { rearrange } from "./rearranging.js";
import { largest, mean } from "./reducing.js";
import { interpolate } from "./resampling.js";
import { channelSoftmax, logSoftmax, softmax } from "./softmax.js";

export const KINDS = {
  conv2d,
  local2d,
  linear,
  maxPool2d,
  avgPool2d,
  localResponseNorm,
  batchNorm,
  relu,
  leakyRelu,
  sigmoid,
  tanh,
  gelu,
  elu,
  silu,
  softplus,
  dropout,
  identity,
  flatten,
  add,
  concat,
  softmax,
  contrastNorm,
  stochasticPool2d,
  stochasticMax,
  interpolate,
  rearrange,
  mean,
  largest,
  multiply,
  subtract,
  divide,
  maximum,
  minimum,
  channelSoftmax,
  logSoftmax,
  ...pointwise,
};
