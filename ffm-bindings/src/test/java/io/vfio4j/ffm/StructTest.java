// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.ffm.iommufd.IommuHwptAlloc;
import io.vfio4j.ffm.vfio.VfioDeviceAttachIommufdPt;
import io.vfio4j.ffm.vfio.VfioDeviceBindIommufd;
import io.vfio4j.ffm.vfio.VfioDeviceDetachIommufdPt;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class StructTest {
    @Test
    void shouldKnowTheSizesOfKernelsBeforeTheStructsGrew() {
        assertThat(VfioDeviceBindIommufd.SIZE_WITHOUT_TOKEN).isEqualTo(16);
        assertThat(VfioDeviceAttachIommufdPt.SIZE_WITHOUT_PASID).isEqualTo(12);
        assertThat(VfioDeviceDetachIommufdPt.SIZE_WITHOUT_PASID).isEqualTo(8);
        assertThat(IommuHwptAlloc.SIZE_WITHOUT_FAULT_ID).isEqualTo(40);
    }

    @Test
    void shouldPlaceTheFieldBehindAUnionBehindItsLongestMember() {
        Struct.Builder c = Struct.named("a");
        c.u8("first");
        Struct.U32 number = c.u32("number");
        Struct.Bytes longer = c.over(number).array("longer", 9, 1);
        Struct.U8 shorter = c.over(number).u8("shorter");
        Struct.U8 behind = c.u8("behind");
        Struct.Bytes array = c.array("array", 6, 2);
        Struct struct = c.end();
        assertThat(number.offset()).isEqualTo(4);
        assertThat(longer.offset()).isEqualTo(4);
        assertThat(shorter.offset()).isEqualTo(4);
        assertThat(behind.offset()).isEqualTo(13);
        assertThat(array.offset()).isEqualTo(14);
        assertThat(array.of(MemorySegment.ofArray(new byte[20])).byteSize()).isEqualTo(6);
        assertThat(struct.size()).isEqualTo(20);
        assertThat(struct.alignment()).isEqualTo(4);
    }

    @Test
    void shouldRefuseAUnionThatItCannotPlace() {
        Struct.Builder c = Struct.named("a");
        c.u8("first");
        Struct.U16 small = c.u16("small");
        assertThatThrownBy(() -> c.over(small).u64("large"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("the member of the union at 2 of a with the largest alignment must be its first");
    }

    @Test
    void shouldReadAndWriteFieldsThatThreadsOrProcessesShare() {
        Struct.Builder c = Struct.named("a");
        c.u64("before");
        Struct.U32 shared = c.u32("shared");
        MemorySegment segment = c.end().allocate(Arena.ofAuto());
        shared.setRelease(segment, -5);
        assertThat(segment.get(JAVA_INT, 8)).isEqualTo(-5);
        assertThat(shared.getAcquire(segment)).isEqualTo(-5);
        assertThat(shared.get(segment)).isEqualTo(-5);
    }
}
