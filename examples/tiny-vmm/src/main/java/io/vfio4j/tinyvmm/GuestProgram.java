// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.tinyvmm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * What the guest runs, in real mode: it adds 1 to a counter in every page of its memory, writes the number of the pass
 * to the UART, and begins anew, for ever.
 *
 * <p>So its memory tells at any instruction what has happened: with {@code n} bytes written to the UART, each counter
 * is n, or n + 1 in the pages that the pass under way has been to already. A counter that was lost or added to twice, a
 * page that went to the wrong place, and a byte of the UART that is missing or there twice do not fit.
 *
 * <p>Offsets of real mode reach 64 KiB. All of the memory is reached by 32-bit addresses behind an address-size prefix,
 * with a data segment whose limit is 4 GiB ("big real mode"), which {@code KVM_SET_SREGS} gives to it.
 */
final class GuestProgram {
    static final int PAGE = 4096;

    /** Where the program is: behind the interrupt vectors. */
    static final long CODE = PAGE;

    /** The first page with a counter. */
    static final long FIRST_COUNTER = 2 * PAGE;

    /** Where a page says which one it is: its last word. */
    private static final long MARK = PAGE - Long.BYTES;

    private GuestProgram() {}

    /** Puts the program and untouched counters into memory that is all zeros. */
    static void load(MemorySegment memory) {
        byte[] code = ByteBuffer.allocate(PAGE)
                .order(ByteOrder.LITTLE_ENDIAN)
                // pass: mov esi, FIRST_COUNTER
                .put(new byte[] {0x66, (byte) 0xbe})
                .putInt((int) FIRST_COUNTER)
                // next: inc dword [esi]
                .put(new byte[] {0x67, 0x66, (byte) 0xff, 0x06})
                // add esi, PAGE
                .put(new byte[] {0x66, (byte) 0x81, (byte) 0xc6})
                .putInt(PAGE)
                // cmp esi, edi; jb next
                .put(new byte[] {0x66, 0x39, (byte) 0xfe, 0x72, (byte) 0xf0})
                // inc eax; out dx, al; jmp pass
                .put(new byte[] {0x66, 0x40, (byte) 0xee, (byte) 0xeb, (byte) 0xe5})
                .array();
        MemorySegment.copy(code, 0, memory, JAVA_BYTE, CODE, code.length);
        for (long page = FIRST_COUNTER; page < memory.byteSize(); page += PAGE) {
            memory.set(JAVA_LONG, page + MARK, mark(page));
        }
    }

    /**
     * Compares the memory of a guest that is stopped with what it has to be.
     *
     * @param passes how many bytes have been written to the UART since the guest's begin
     * @param position where the guest is: its ESI
     * @throws IOException where it is anything else; the message says at which address
     */
    static void check(MemorySegment memory, long passes, long position) throws IOException {
        MemorySegment zeros = MemorySegment.ofArray(new byte[(int) MARK - Integer.BYTES]);
        boolean behind = false;
        for (long page = FIRST_COUNTER; page < memory.byteSize(); page += PAGE) {
            int counter = memory.get(JAVA_INT, page);
            boolean added = counter == (int) passes + 1;
            if (!added && counter != (int) passes) {
                throw wrong(page, "its counter is " + counter + " after " + passes + " bytes of the UART");
            }
            if (!added && !behind && page != FIRST_COUNTER && page != position && page != position + PAGE) {
                throw wrong(page, "it was not added to in this pass, which is at 0x" + Long.toHexString(position));
            }
            if (added && behind) {
                throw wrong(page, "it was added to in this pass before its turn");
            }
            behind |= !added;
            if (memory.get(JAVA_LONG, page + MARK) != mark(page)
                    || memory.asSlice(page + Integer.BYTES, zeros.byteSize()).mismatch(zeros) >= 0) {
                throw wrong(page, "it is another page, or the guest has not written all of it");
            }
        }
    }

    private static IOException wrong(long page, String what) {
        return new IOException("the guest's memory is wrong at 0x" + Long.toHexString(page) + ": " + what);
    }

    private static long mark(long page) {
        return page * 0x9e37_79b9_7f4a_7c15L;
    }
}
