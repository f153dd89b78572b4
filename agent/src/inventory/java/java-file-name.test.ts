import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseJavaFileName } from './java-file-name.ts';

describe('the name of a Java archive', () => {
  const names: [file: string, artifact: string | undefined, version: string | undefined][] = [
    ['commons-io-2.11.0.jar', 'commons-io', '2.11.0'],
    ['a-1.jar', 'a', '1'],
    ['tools.jar', undefined, undefined],
    ['x-api.jar', undefined, undefined],
    ['1.0.jar', undefined, undefined],
    ['-1.0.jar', undefined, undefined],
    ['a-1 2.jar', undefined, undefined],
    ['jsr305-0.1~+svn49.jar', 'jsr305', '0.1~+svn49'],
    ['guava-31.1-jre.jar', 'guava', '31.1-jre'],
    ['postgresql-42.2.5.jre7.jar', 'postgresql', '42.2.5.jre7'],
    ['app-1.0-SNAPSHOT.war', 'app', '1.0-SNAPSHOT'],
    ['lwjgl-3.2.3-natives-windows.jar', 'lwjgl', '3.2.3-natives-windows'],
    // A number in the artifact's own name.
    ['log4j-1.2-api-2.17.1.jar', 'log4j-1.2-api', '2.17.1'],
    ['flink-shaded-hadoop-2-uber-2.8.3-10.0.jar', 'flink-shaded-hadoop-2-uber', '2.8.3-10.0'],
    ['kafka_2.12-1.0.2.jar', 'kafka_2.12', '1.0.2'],
    // Words in the version.
    ['commons-cli-1.0-beta-2.jar', 'commons-cli', '1.0-beta-2'],
    ['spec-1.1-rc-4.1.jar', 'spec', '1.1-rc-4.1'],
    ['hadoop-common-3.2.1-amzn-1.jar', 'hadoop-common', '3.2.1-amzn-1'],
    ['x-1.0.0.Final-redhat-00001.jar', 'x', '1.0.0.Final-redhat-00001'],
  ];
  for (const [file, artifact, version] of names) {
    it(`${file} is ${version === undefined ? 'without a version' : `${artifact} ${version}`}`, () => {
      const { bare, ...told } = parseJavaFileName(file);
      assert.deepEqual(told, { artifact, version });
      assert.equal(bare, file.slice(0, file.lastIndexOf('.')));
    });
  }

  it('is parted before the version that the archive gives', () => {
    const part = (file: string, ...versions: string[]) => {
      const { artifact, version } = parseJavaFileName(file, versions);
      return [artifact, version];
    };
    assert.deepEqual(part('log4j-1.2-1.2.17.jar', '1.2.17'), ['log4j-1.2', '1.2.17']);
    assert.deepEqual(part('log4j-1.2-1.2.17.jar'), ['log4j', '1.2-1.2.17']);
    assert.deepEqual(part('x-1.0-rc-1.1.jar', '9', '', '1.0-rc-1.1'), ['x', '1.0-rc-1.1']);
    assert.deepEqual(part('x-1.0.jar', 'x-1.0', '.0'), ['x', '1.0']);
  });
});
