// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/**
 * The capabilities that an info ioctl has put behind its struct, a chain of {@link VfioInfoCapHeader}.
 *
 * <p>They are copied: kernels before 6.6 do not align them to the 8 bytes that their fields want. What comes from a
 * driver is not trusted: a chain that loops or leaves the info is refused. Immutable, for any thread.
 */
public final class VfioCapabilityChain {
    private static final long HEADER = VfioInfoCapHeader.STRUCT.size();

    private final List<Capability> capabilities;

    /**
     * One capability.
     *
     * @param id which one, of the info's own numbering
     * @param version the version of its layout
     * @param content a read-only copy of all of it with its header; it may have padding at its end
     */
    public record Capability(int id, int version, MemorySegment content) {}

    private VfioCapabilityChain(List<Capability> capabilities) {
        this.capabilities = capabilities;
    }

    /**
     * Copies the capabilities of an info.
     *
     * @param info what an info ioctl has filled, such as a {@link VfioDeviceInfo}, a {@link VfioRegionInfo} or a
     *     {@link VfioIommuType1Info} with room behind it; {@code argsz} is its first field
     * @param capOffset its {@code cap_offset}; 0 for no capabilities, or too little room for them
     * @return the chain, empty without capabilities
     * @throws IllegalArgumentException when the chain is no chain; the message says where
     */
    public static VfioCapabilityChain of(MemorySegment info, int capOffset) {
        long end = Math.min(info.byteSize(), Integer.toUnsignedLong(info.get(JAVA_INT, 0)));
        List<Long> order = new ArrayList<>();
        TreeSet<Long> offsets = new TreeSet<>();
        long offset = Integer.toUnsignedLong(capOffset);
        while (offset != 0) {
            if (offset % Integer.BYTES != 0 || offset < HEADER || offset > end - HEADER) {
                throw new IllegalArgumentException(
                        "the capability chain points to offset " + offset + " of an info of " + end + " bytes");
            }
            if (!offsets.add(offset)) {
                throw new IllegalArgumentException("the capability chain loops at offset " + offset);
            }
            order.add(offset);
            offset = Integer.toUnsignedLong(VfioInfoCapHeader.NEXT.get(info.asSlice(offset)));
        }
        List<Capability> capabilities = new ArrayList<>(order.size());
        for (long begin : order) {
            Long next = offsets.higher(begin);
            capabilities.add(copy(info.asSlice(begin, (next == null ? end : next) - begin)));
        }
        return new VfioCapabilityChain(List.copyOf(capabilities));
    }

    /**
     * Returns the capabilities.
     *
     * @return the capabilities, in the chain's order
     */
    public List<Capability> capabilities() {
        return capabilities;
    }

    /**
     * Finds a capability.
     *
     * @param id which one, of the info's own numbering
     * @param minimum how long it must be, in bytes: the size of the struct that it is read as
     * @return a read-only copy of all of it with its header; nothing where there is none of that id and length
     */
    public Optional<MemorySegment> find(int id, long minimum) {
        return capabilities.stream()
                .filter(capability -> capability.id == id && capability.content.byteSize() >= minimum)
                .map(Capability::content)
                .findFirst();
    }

    private static Capability copy(MemorySegment capability) {
        // An array of longs, for memory of that is aligned as the fields want it.
        long bytes = capability.byteSize();
        MemorySegment content = MemorySegment.ofArray(new long[Math.toIntExact((bytes + Long.BYTES - 1) / Long.BYTES)])
                .asSlice(0, bytes);
        content.copyFrom(capability);
        return new Capability(
                VfioInfoCapHeader.ID.get(content), VfioInfoCapHeader.VERSION.get(content), content.asReadOnly());
    }
}
