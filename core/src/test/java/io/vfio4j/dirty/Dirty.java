// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.testing.DirtyPages;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.assertj.core.api.AbstractStringAssert;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** What the tests in this package say often, beside {@link DirtyPages}. */
final class Dirty {
    private Dirty() {}

    /** Expects a refusal of a kind, and returns its message. */
    static AbstractStringAssert<?> assertRefused(Problem problem, ThrowingCallable call) {
        return DirtyPages.assertRefused(problem, call).message();
    }

    /** The memory that a struct points to. */
    // SAFETY: the tests call it with addresses and lengths that the code under test has handed to its kernel.
    @SuppressWarnings("restricted")
    static MemorySegment at(long address, long length) {
        return MemorySegment.ofAddress(address).reinterpret(length);
    }

    /** Sets bits as the kernel does: bit k for the k-th page from the request's own begin, none is cleared. */
    static void setBits(long bitmap, AddressRange request, long pageSize, AddressRange written) {
        if (!request.overlaps(written)) {
            return;
        }
        AddressRange part = request.intersect(written);
        long first = (part.start() - request.start()) / pageSize;
        long last = (part.last() - request.start()) / pageSize;
        MemorySegment bytes = at(bitmap, ((request.length() - 1) / pageSize + 8) / 8);
        for (long bit = first; bit <= last; bit++) {
            int old = bytes.get(ValueLayout.JAVA_BYTE, bit / 8);
            bytes.set(ValueLayout.JAVA_BYTE, bit / 8, (byte) (old | 1 << bit % 8));
        }
    }
}
