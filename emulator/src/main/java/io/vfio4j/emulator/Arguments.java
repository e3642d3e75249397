// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.vfio4j.ffm.Errno;
import java.lang.foreign.MemorySegment;

/** Checks the arguments of ioctls as the kernel does. */
final class Arguments {
    private Arguments() {}

    /**
     * Checks a struct that begins with its own length.
     *
     * @return 0, {@code -EFAULT} where the memory is shorter than it says, or {@code -EINVAL} where it says less than
     *     the least
     */
    static int check(MemorySegment argument, long least) {
        if (argument.byteSize() < Integer.BYTES) {
            return Errno.EFAULT.negated();
        }
        long says = Integer.toUnsignedLong(argument.get(JAVA_INT, 0));
        if (says < least) {
            return Errno.EINVAL.negated();
        }
        return argument.byteSize() < least ? Errno.EFAULT.negated() : 0;
    }

    /**
     * Checks a struct that may be longer than known: what is beyond must be zero.
     *
     * @return as {@link #check}, or {@code -E2BIG}
     */
    static int checkExtensible(MemorySegment argument, long least, long known) {
        int result = check(argument, least);
        if (result < 0) {
            return result;
        }
        long says = Integer.toUnsignedLong(argument.get(JAVA_INT, 0));
        if (says > argument.byteSize()) {
            return Errno.EFAULT.negated();
        }
        for (long at = known; at < says; at++) {
            if (argument.get(JAVA_BYTE, at) != 0) {
                return Errno.E2BIG.negated();
            }
        }
        return 0;
    }
}
