// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.Test;

class VfioCapabilityChainTest {
    private static final int ROOM = 256;

    private final MemorySegment info = Arena.ofAuto().allocate(ROOM, 8);

    VfioCapabilityChainTest() {
        VfioIommuType1Info.ARGSZ.set(info, ROOM);
    }

    @Test
    void shouldReadTheCapabilitiesOfAType1ContainerAsAnOldKernelPlacesThem() {
        // The 12 bytes of dma_avail leave the capability behind it aligned to 4 only.
        MemorySegment migration = capability(24, Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, 56);
        VfioIommuType1InfoCapMigration.PGSIZE_BITMAP.set(migration, 0x1000);
        VfioIommuType1InfoCapMigration.MAX_DIRTY_BITMAP_SIZE.set(migration, 1L << 28);
        VfioIommuType1InfoDmaAvail.AVAIL.set(capability(56, Vfio.VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 68), 65_535);
        MemorySegment ranges = capability(68, Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 0);
        VfioIommuType1InfoCapIovaRange.NR_IOVAS.set(ranges, 1);
        MemorySegment range = VfioIovaRange.STRUCT.allocate(Arena.ofAuto());
        VfioIovaRange.START.set(range, 0x1000);
        VfioIovaRange.END.set(range, 0xfedf_ffffL);
        VfioIommuType1InfoCapIovaRange.IOVA_RANGES.of(ranges).copyFrom(range);

        VfioCapabilityChain chain = VfioCapabilityChain.of(info, 24);

        assertThat(chain.capabilities())
                .extracting(VfioCapabilityChain.Capability::id)
                .containsExactly(
                        Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION,
                        Vfio.VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL,
                        Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
        MemorySegment found = chain.find(
                        Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, VfioIommuType1InfoCapMigration.STRUCT.size())
                .orElseThrow();
        assertThat(VfioIommuType1InfoCapMigration.PGSIZE_BITMAP.get(found)).isEqualTo(0x1000);
        assertThat(VfioIommuType1InfoCapMigration.MAX_DIRTY_BITMAP_SIZE.get(found))
                .isEqualTo(1L << 28);
        MemorySegment avail = chain.find(Vfio.VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, VfioIommuType1InfoDmaAvail.STRUCT.size())
                .orElseThrow();
        assertThat(avail.byteSize()).isEqualTo(12);
        assertThat(VfioIommuType1InfoDmaAvail.AVAIL.get(avail)).isEqualTo(65_535);
        MemorySegment iovas = chain.find(
                        Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, VfioIommuType1InfoCapIovaRange.STRUCT.size())
                .orElseThrow();
        MemorySegment first = VfioIommuType1InfoCapIovaRange.IOVA_RANGES.of(iovas);
        assertThat(VfioIovaRange.START.get(first)).isEqualTo(0x1000);
        assertThat(VfioIovaRange.END.get(first)).isEqualTo(0xfedf_ffffL);
    }

    @Test
    void shouldBeEmptyWithoutCapabilities() {
        VfioCapabilityChain chain = VfioCapabilityChain.of(info, 0);
        assertThat(chain.capabilities()).isEmpty();
        assertThat(chain.find(1, 8)).isEmpty();
    }

    @Test
    void shouldFollowAChainThatGoesBackwards() {
        capability(64, 1, 32);
        capability(32, 2, 0);
        VfioCapabilityChain chain = VfioCapabilityChain.of(info, 64);
        assertThat(chain.capabilities())
                .extracting(VfioCapabilityChain.Capability::id)
                .containsExactly(1, 2);
        assertThat(chain.find(2, 8).orElseThrow().byteSize()).isEqualTo(32);
        assertThat(chain.find(1, 8).orElseThrow().byteSize()).isEqualTo(ROOM - 64);
    }

    @Test
    void shouldNotFindACapabilityThatIsTooShortForItsStruct() {
        capability(ROOM - 8, Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, 0);
        VfioCapabilityChain chain = VfioCapabilityChain.of(info, ROOM - 8);
        assertThat(chain.find(Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, 8)).isPresent();
        assertThat(chain.find(Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, VfioIommuType1InfoCapMigration.STRUCT.size()))
                .isEmpty();
    }

    @Test
    void shouldRefuseAChainThatLoops() {
        capability(24, 1, 24);
        assertThatThrownBy(() -> VfioCapabilityChain.of(info, 24))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("the capability chain loops at offset 24");
        capability(24, 1, 40);
        capability(40, 2, 24);
        assertThatThrownBy(() -> VfioCapabilityChain.of(info, 24))
                .hasMessage("the capability chain loops at offset 24");
    }

    @Test
    void shouldRefuseAChainThatLeavesTheInfo() {
        assertThatThrownBy(() -> VfioCapabilityChain.of(info, ROOM - 4))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("the capability chain points to offset 252 of an info of 256 bytes");
        assertThatThrownBy(() -> VfioCapabilityChain.of(info, -8)).hasMessageContaining("points to offset 4294967288");
        assertThatThrownBy(() -> VfioCapabilityChain.of(info, 25)).hasMessageContaining("points to offset 25");
        assertThatThrownBy(() -> VfioCapabilityChain.of(info, 4)).hasMessageContaining("points to offset 4");
        capability(24, 1, ROOM);
        assertThatThrownBy(() -> VfioCapabilityChain.of(info, 24)).hasMessageContaining("points to offset 256");
    }

    @Test
    void shouldReadNothingBeyondArgsz() {
        capability(24, 1, 64);
        capability(64, 2, 0);
        VfioIommuType1Info.ARGSZ.set(info, 64);
        assertThatThrownBy(() -> VfioCapabilityChain.of(info, 24))
                .hasMessage("the capability chain points to offset 64 of an info of 64 bytes");
        VfioIommuType1Info.ARGSZ.set(info, 7);
        assertThatThrownBy(() -> VfioCapabilityChain.of(info, 24)).hasMessageContaining("an info of 7 bytes");
        VfioIommuType1Info.ARGSZ.set(info, -1);
        assertThat(VfioCapabilityChain.of(info, 24).capabilities()).hasSize(2);
    }

    @Test
    void shouldEndOnEveryRandomChain() {
        Random random = new Random(7);
        for (int round = 0; round < 2_000; round++) {
            for (long at = 0; at < ROOM; at += Integer.BYTES) {
                VfioInfoCapHeader.ID.set(info.asSlice(at), random.nextInt(1 << 16));
                VfioInfoCapHeader.VERSION.set(info.asSlice(at), random.nextInt(8) * 4);
                if (at + 8 <= ROOM) {
                    VfioInfoCapHeader.NEXT.set(info.asSlice(at), random.nextInt(ROOM / 4 + 2) * 4);
                }
            }
            VfioIommuType1Info.ARGSZ.set(info, random.nextInt(2 * ROOM));
            try {
                VfioCapabilityChain chain = VfioCapabilityChain.of(info, random.nextInt(ROOM / 4) * 4);
                assertThat(chain.capabilities()).hasSizeLessThan(ROOM / 4);
            } catch (IllegalArgumentException e) {
                assertThat(e).hasMessageStartingWith("the capability chain ");
            }
        }
    }

    private MemorySegment capability(int offset, int id, int next) {
        MemorySegment capability = info.asSlice(offset);
        VfioInfoCapHeader.ID.set(capability, id);
        VfioInfoCapHeader.VERSION.set(capability, 1);
        VfioInfoCapHeader.NEXT.set(capability, next);
        return capability;
    }
}
