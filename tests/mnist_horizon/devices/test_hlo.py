# ruff: noqa: E501 (a line of a compiled program is as long as it is)
"""What is read from a compiled program's text, on small texts and on programs compiled here."""

import jax
import jax.numpy as jnp
import pytest

from mnist_horizon.devices.hlo import Module

GPU = """HloModule jit_update, is_scheduled=true

%fused_gather (param_0: u8[60000,784], param_1: s32[512]) -> f32[512,784] {
  %param_0 = u8[60000,784]{1,0} parameter(0)
  %param_1 = s32[512]{0} parameter(1)
  %gather.1 = u8[512,784]{1,0} gather(%param_0, %param_1), offset_dims={1}
  ROOT %convert.1 = f32[512,784]{1,0} convert(%gather.1)
}

%gemm_computation (p0: f32[512,784], p1: f32[784,64]) -> f32[512,64] {
  %p0 = f32[512,784]{1,0} parameter(0)
  %p1 = f32[784,64]{1,0} parameter(1)
  ROOT %dot.1 = f32[512,64]{1,0} dot(%p0, %p1), lhs_contracting_dims={1}, rhs_contracting_dims={0}, operand_precision={highest,highest}
}

%inner (q: (s32[], f32[512,64])) -> (s32[], f32[512,64]) {
  %q = (s32[], f32[512,64]{1,0}) parameter(0)
  %h = f32[512,64]{1,0} get-tuple-element(%q), index=1
  %copy.1 = f32[512,64]{0,1} copy(%h)
  %i = s32[] get-tuple-element(%q), index=0
  ROOT %t = (s32[], f32[512,64]{1,0}) tuple(%i, /*index=1*/%copy.1)
}

%body (state: (s32[], f32[784,64], u8[60000,784], s32[512])) -> (s32[], f32[784,64]) {
  %state = (s32[], f32[784,64]{1,0}, u8[60000,784]{1,0}, s32[512]{0}) parameter(0)
  %w = f32[784,64]{1,0} get-tuple-element(%state), index=1
  %images = u8[60000,784]{1,0} get-tuple-element(%state), index=2
  %index = s32[512]{0} get-tuple-element(%state), index=3
  %gather_fusion = f32[512,784]{1,0} fusion(%images, %index), kind=kLoop, calls=%fused_gather
  %gemm_fusion = f32[512,64]{1,0} fusion(%gather_fusion, %w), kind=kCustom, calls=%gemm_computation, metadata={op_name="a(b)/c"}
  %custom-call.2 = (f32[784,64]{1,0}, s8[4]{0}) custom-call(%gather_fusion, %gemm_fusion), custom_call_target="__cublas$gemm", backend_config={"gemm_backend_config":{"dot_dimension_numbers":{"lhs_contracting_dimensions":["0"],"rhs_contracting_dimensions":["0"]},"precision_config":{"operand_precision":["HIGHEST","HIGHEST"]}}}
  %inner_while = (s32[], f32[512,64]{1,0}) while(%state), condition=%cond, body=%inner, backend_config={"known_trip_count":{"n":"4"}}
  ROOT %tuple = (s32[], f32[784,64]{1,0}) tuple(%index, %w)
}

ENTRY %main.5 (a: f32[784,64]) -> f32[784,64] {
  %a = f32[784,64]{1,0} parameter(0)
  %before = f32[784,64]{1,0} copy(%a)
  ROOT %while.1 = (s32[], f32[784,64]{1,0}) while(%before), condition=%cond, body=%body
}
"""

TPU = """HloModule jit_update

%fused (p0: f32[16,512,64], p1: f32[16,64,10]) -> f32[16,512,10] {
  %p0 = f32[16,512,64]{1,2,0:T(8,128)} parameter(0)
  %p1 = f32[16,64,10]{1,2,0:T(8,128)} parameter(1)
  ROOT %convolution.1 = f32[16,512,10]{1,2,0:T(8,128)S(1)} convolution(%p0, %p1), window={size=16 stride=15 lhs_dilate=16}, dim_labels=0bf_0io->0bf, operand_precision={highest,highest}
}

%region (s: (f32[16,512,64], f32[16,64,10])) -> f32[16,512,10] {
  %s = (f32[16,512,64]{1,2,0:T(8,128)}, f32[16,64,10]{1,2,0:T(8,128)}) parameter(0)
  %h = f32[16,512,64]{1,2,0:T(8,128)} get-tuple-element(%s), index=0
  %w = f32[16,64,10]{1,2,0:T(8,128)} get-tuple-element(%s), index=1
  %copy-start.1 = (f32[16,64,10]{1,2,0:T(8,128)S(1)}, f32[16,64,10]{1,2,0:T(8,128)}, u32[]{:S(2)}) copy-start(%w)
  %copy-done.1 = f32[16,64,10]{1,2,0:T(8,128)S(1)} copy-done(%copy-start.1)
  ROOT %fusion.1 = f32[16,512,10]{1,2,0:T(8,128)S(1)} fusion(%h, %copy-done.1), kind=kOutput, calls=%fused
}

ENTRY %main (a: f32[16,512,64]) -> f32[16,512,10] {
  %a = f32[16,512,64]{1,2,0:T(8,128)} parameter(0)
  %all-reduce-start.1 = f32[] all-reduce-start(%a), to_apply=%add
  ROOT %while.2 = f32[16,512,10]{1,2,0:T(8,128)} while(%a), condition=%cond, body=%region
}
"""


def test_an_update_is_the_body_of_the_outermost_loop():
    module = Module(GPU)
    found = [(kernel.instruction.name, kernel.times) for kernel in module.kernels]
    expected = [("gather_fusion", 1), ("gemm_fusion", 1), ("custom-call.2", 1), ("copy.1", 4)]
    assert found == expected
    assert module.count() == 7


def test_products_have_the_flops_of_their_shapes():
    module = Module(GPU)
    products = [product for kernel in module.kernels for product in module.products(kernel)]
    assert [product.flops for product in products] == [2 * 512 * 784 * 64] * 2
    assert {product.types for product in products} == {("f32", "f32")}
    assert {product.precision for product in products} == {"highest"}
    (product,) = Module(TPU).products(Module(TPU).kernels[-1])
    assert product.flops == 2 * 16 * 512 * 64 * 10


def test_bytes_of_a_gather_are_those_that_it_reads():
    module = Module(GPU)
    gather, gemm, *_ = module.kernels
    assert module.bytes(gather) == 512 * 784 + 4 * 512 + 4 * 512 * 784
    assert module.bytes(gemm) == 4 * (512 * 784 + 784 * 64 + 512 * 64)


def test_what_lies_in_a_core_s_own_memory_costs_no_bandwidth():
    module = Module(TPU)
    assert [kernel.instruction.name for kernel in module.kernels] == ["copy-start.1", "fusion.1"]
    assert module.bytes(module.kernels[1]) == 4 * 16 * 512 * 64


def test_what_an_update_must_not_have_is_found():
    assert Module(TPU).collectives() == ["all-reduce-start.1"]
    assert Module(GPU).collectives() == []
    assert Module(GPU).writes(512 * 784) == ["gather_fusion"]
    assert Module(GPU).writes(60000 * 784) == []
    called = GPU.replace("__cublas$gemm", "xla_ffi_python_gpu_callback")
    assert Module(called).host_calls() == ["custom-call.2"]
    assert Module(GPU).host_calls() == []
    assert Module(GPU).has_type("u8")
    assert not Module(GPU).has_type("f64")
    assert Module(GPU.replace("f32[784,64]", "f64[784,64]")).has_type("f64")


def test_the_flops_of_a_program_compiled_here():
    def loop(kernel, inputs, count):
        return jax.lax.fori_loop(0, count, lambda _, k: k + inputs.T @ (inputs @ k), kernel)

    compiled = jax.jit(loop).lower(jnp.ones((8, 4)), jnp.ones((16, 8)), jnp.int32(3)).compile()
    module = Module(compiled.as_text())
    flops = [product.flops for kernel in module.kernels for product in module.products(kernel)]
    assert sum(flops) == pytest.approx(2 * 2 * 16 * 8 * 4)
