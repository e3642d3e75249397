// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

/** A clock that moves by a fixed step whenever somebody looks, and by what is waited. */
final class ManualTime implements Time {
    private final long perLook;
    private long now;

    ManualTime(long perLook) {
        this.perLook = perLook;
    }

    @Override
    public long nanoTime() {
        now += perLook;
        return now;
    }

    @Override
    public void pause(long nanos) {
        now += nanos;
    }
}
