import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capStatus, classifyClaim, isVectorClaim } from './trust-vector.ts';

test('each range of AR4SI has its tier, below zero too', () => {
  const tiers = {
    none: [-1, 0, 1],
    affirming: [2, 31, -2, -32],
    warning: [32, 95, -33, -96],
    contraindicated: [96, 127, -97, -128],
  };
  for (const [tier, values] of Object.entries(tiers))
    for (const value of values) assert.equal(classifyClaim(value), tier, String(value));
});

test('a claim is a signed byte', () => {
  for (const value of [-128, 0, 127]) assert.ok(isVectorClaim(value));
  for (const value of [-129, 128, 1.5, Number.NaN, '2', null, undefined]) assert.ok(!isVectorClaim(value));
});

test('the worst claim caps the status, zero says nothing, and nothing said is none', () => {
  assert.equal(capStatus({}), 'none');
  assert.equal(capStatus({ hardware: 0 }), 'none');
  assert.equal(capStatus({ hardware: 2, configuration: 0 }), 'affirming');
  assert.equal(capStatus({ hardware: 2, configuration: 36 }), 'warning');
  assert.equal(capStatus({ hardware: 2, configuration: 36, executables: -1 }), 'none');
  assert.equal(capStatus({ hardware: -1, sourcedData: 96 }), 'contraindicated');
});
