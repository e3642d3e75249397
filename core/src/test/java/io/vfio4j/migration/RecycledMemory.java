// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.ForwardingLibC;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The memory that one side of a simulation maps, counted.
 *
 * <p>What is unmapped is mapped again, with what was in it, by the simulations to come: thousands of them touch the
 * same few pages, or most of their time would go into pages that are new.
 */
final class RecycledMemory extends ForwardingLibC {
    private static final Map<Long, Deque<Long>> FREE = new ConcurrentHashMap<>();

    private long mapped;
    private long mostMapped;

    /** How many bytes are mapped now. */
    long mapped() {
        return mapped;
    }

    /** How many bytes were mapped at the same time, at the most. */
    long mostMapped() {
        return mostMapped;
    }

    @Override
    public long mmap(long length, int protection, int flags, int fd, long offset) {
        Long free = free(length).poll();
        long address = free == null ? super.mmap(length, protection, flags, fd, offset) : free;
        mapped += length;
        mostMapped = Math.max(mostMapped, mapped);
        return address;
    }

    @Override
    public int munmap(long address, long length) {
        mapped -= length;
        free(length).add(address);
        return 0;
    }

    private static Deque<Long> free(long length) {
        return FREE.computeIfAbsent(length, key -> new ArrayDeque<>());
    }
}
