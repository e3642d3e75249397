// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.kvm.Kvm;
import io.vfio4j.ffm.kvm.KvmDeviceAttr;
import io.vfio4j.ffm.kvm.KvmS390CmmaLog;
import io.vfio4j.testing.ScriptedLibC;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What KVM on s390 does about storage attributes: it looks for the first dirty one from a page on, and returns values
 * up to a gap of clean ones that is too long, with how many dirty ones are left.
 */
final class ScriptedCmma implements ScriptedLibC.Ioctls {
    /** As in the kernel: two addresses' worth of clean values are cheaper than another call. */
    private static final int LONGEST_GAP = 16;

    private final byte[] values;
    private final BitSet dirty = new BitSet();
    private final BitSet holes = new BitSet();
    final List<String> calls = Collections.synchronizedList(new ArrayList<>());
    private boolean migrating;
    volatile boolean supported = true;
    volatile @Nullable Errno failing;

    ScriptedCmma(int pages) {
        values = new byte[pages];
    }

    synchronized void change(int page, byte value) {
        values[page] = value;
        dirty.set(page);
    }

    synchronized byte[] values() {
        return values.clone();
    }

    /** No memory is there: setting it fails. */
    synchronized void hole(int page) {
        holes.set(page);
    }

    synchronized boolean isMigrating() {
        return migrating;
    }

    @Override
    public synchronized int answer(long request, MemorySegment argument) {
        Errno error = failing;
        if (request == Kvm.KVM_CHECK_EXTENSION) {
            return supported && argument.address() == Kvm.KVM_CAP_S390_CMMA_MIGRATION ? 1 : 0;
        }
        if (error != null) {
            return error.negated();
        }
        if (request == Kvm.KVM_SET_DEVICE_ATTR) {
            return setAttribute(argument);
        }
        if (request == Kvm.KVM_S390_GET_CMMA_BITS) {
            return get(argument);
        }
        return request == Kvm.KVM_S390_SET_CMMA_BITS ? set(argument) : Errno.ENOTTY.negated();
    }

    private int setAttribute(MemorySegment attr) {
        if (KvmDeviceAttr.GROUP.get(attr) != Kvm.KVM_S390_VM_MIGRATION) {
            return Errno.ENXIO.negated();
        }
        boolean start = KvmDeviceAttr.ATTR.get(attr) == Kvm.KVM_S390_VM_MIGRATION_START;
        calls.add(start ? "start" : "stop");
        migrating = start;
        if (start) {
            dirty.set(0, values.length);
            dirty.andNot(holes);
        }
        return 0;
    }

    private int get(MemorySegment log) {
        if (!migrating) {
            return Errno.EINVAL.negated();
        }
        if (KvmS390CmmaLog.FLAGS.get(log) == Kvm.KVM_S390_CMMA_PEEK) {
            KvmS390CmmaLog.REMAINING.set(log, dirty.cardinality());
            return 0;
        }
        calls.add("get");
        int room = KvmS390CmmaLog.COUNT.get(log);
        int first = dirty.nextSetBit((int) KvmS390CmmaLog.START_GFN.get(log));
        int count = 0;
        if (first >= 0) {
            int next = first;
            int hole = holes.nextSetBit(first);
            while (next >= 0 && next - first < room && next - (first + count) <= LONGEST_GAP) {
                count = next - first + 1;
                dirty.clear(next);
                next = dirty.nextSetBit(next + 1);
                if (hole >= 0 && next > hole) {
                    break;
                }
            }
            bytes(log, count).put(values, first, count);
        }
        KvmS390CmmaLog.START_GFN.set(log, Math.max(0, first));
        KvmS390CmmaLog.COUNT.set(log, count);
        KvmS390CmmaLog.REMAINING.set(log, dirty.cardinality());
        return 0;
    }

    private int set(MemorySegment log) {
        calls.add("set");
        int first = (int) KvmS390CmmaLog.START_GFN.get(log);
        int count = KvmS390CmmaLog.COUNT.get(log);
        if (KvmS390CmmaLog.MASK.get(log) != -1L || first + count > values.length) {
            return Errno.EINVAL.negated();
        }
        int hole = holes.nextSetBit(first);
        if (hole >= 0 && hole < first + count) {
            return Errno.EFAULT.negated();
        }
        bytes(log, count).get(values, first, count);
        return 0;
    }

    @SuppressWarnings("restricted") // what a kernel does: the memory that the caller has named
    private static ByteBuffer bytes(MemorySegment log, int count) {
        return MemorySegment.ofAddress(KvmS390CmmaLog.VALUES.get(log))
                .reinterpret(count)
                .asByteBuffer();
    }
}
