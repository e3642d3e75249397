// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.migration.StateHandler.Description;
import io.vfio4j.migration.handler.GuestMemory.Region;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** What a memory may be made of, and what two sides have to have in common. */
class GuestMemoryTest {
    private static final long PAGE = GuestMemory.PAGE_BYTES;

    private static MemorySegment pages(long count) {
        return Arena.ofAuto().allocate(count * PAGE, PAGE);
    }

    private static Region region(String name, long address, long pages) {
        return Region.of(name, address, pages(pages));
    }

    private static void assertRefused(ThrowingCallable call, String why) {
        assertThatThrownBy(call).isInstanceOf(IllegalArgumentException.class).hasMessageContaining(why);
    }

    @Test
    void shouldRefuseRegionsThatAreNotMadeOfPages() {
        assertRefused(
                () -> Region.of("ram", 100, pages(1)), "region ram: the guest address 0x64 is no multiple of 4096");
        assertRefused(() -> Region.of("ram", 0, pages(2).asSlice(0, PAGE + 8)), "of 4104 bytes at 0x");
        assertRefused(() -> Region.of("ram", 0, pages(2).asSlice(8, PAGE)), "is not made of pages of 4096 bytes");
        assertRefused(() -> Region.of("ram", 0, pages(1).asSlice(0, 0)), "it needs native memory, and more than none");
        assertRefused(() -> Region.of("ram", 0, MemorySegment.ofArray(new byte[4096])), "it needs native memory");
    }

    @Test
    void shouldRefuseMemoryThatOnlyOneThreadMayUse() {
        try (Arena arena = Arena.ofConfined()) {
            assertRefused(() -> Region.of("ram", 0, arena.allocate(PAGE, PAGE)), "its memory belongs to one thread");
        }
    }

    @Test
    void shouldRefuseNamesThatCouldNotBeTold() {
        for (String name : List.of("", "a b", "a,b", "a@b", "a+b", "a:b", "Gerät", "x".repeat(49))) {
            assertRefused(() -> region(name, 0, 1), "a region's name is 1 to 48 visible ASCII characters");
        }
        assertThat(region("x".repeat(48), 0, 1).name()).hasSize(48);
    }

    @Test
    void shouldRefuseRegionsThatOverlapOrHaveTheSameName() {
        assertRefused(() -> new GuestMemory(List.of()), "at least one region");
        assertRefused(
                () -> new GuestMemory(List.of(region("a", 0, 2), region("b", PAGE, 1))),
                "the regions a at 0x0-0x1fff and b at 0x1000-0x1fff overlap");
        assertRefused(
                () -> new GuestMemory(List.of(region("a", 0, 1), region("a", PAGE, 1))), "two regions have the name a");
        MemorySegment memory = pages(2);
        assertRefused(
                () -> new GuestMemory(
                        List.of(Region.of("a", 0, memory), Region.of("b", 1 << 20, memory.asSlice(PAGE, PAGE)))),
                "the regions a and b are the same memory of this process");
    }

    @Test
    void shouldRefuseMoreHandlersThanCanBe() {
        GuestMemory memory = new GuestMemory(List.of(region("a", 0, 3)));

        assertRefused(() -> memory.handlers("ram", 0), "has 1 to 32 handlers");
        assertRefused(() -> memory.handlers("ram", 4), "a memory of 3 pages");
        assertRefused(() -> memory.handlers("ram", 33), "not 33");
    }

    @Test
    void shouldNameTheHandlersOfAMemoryByTheirNumbers() {
        GuestMemory memory = new GuestMemory(List.of(region("a", 0, 3), region("b", 1 << 20, 1)));

        assertThat(memory.handler("ram").name()).isEqualTo("ram");
        assertThat(memory.handlers("ram", 3))
                .extracting(GuestMemoryHandler::name)
                .containsExactly("ram0", "ram1", "ram2");
    }

    private static GuestMemoryHandler handler(Region... regions) {
        return new GuestMemory(List.of(regions)).handler("ram");
    }

    @Test
    void shouldFitWhatHasTheSameRegions() {
        assertThat(handler(region("a", 0, 3), region("b", 1 << 20, 1).withReadOnly())
                        .misfit(handler(
                                        region("a", 0, 3),
                                        region("b", 1 << 20, 1).withReadOnly())
                                .description()))
                .isNull();
    }

    @Test
    void shouldNameTheRegionThatDoesNotFit() {
        GuestMemoryHandler here = handler(region("low", 0, 256), region("high", 1L << 32, 512));

        assertThat(here.misfit(handler(region("low", 0, 256), region("high", 1L << 32, 1024))
                        .description()))
                .isEqualTo("region high is 4 MiB at the source, 2 MiB here");
        assertThat(here.misfit(handler(region("low", 0, 255), region("high", 1L << 32, 512))
                        .description()))
                .isEqualTo("region low is 1020 KiB at the source, 1 MiB here");
        assertThat(here.misfit(handler(region("low", 0, 256), region("high", 1L << 33, 512))
                        .description()))
                .isEqualTo("region high is at guest address 0x200000000 at the source, 0x100000000 here");
        assertThat(here.misfit(handler(region("low", 0, 256), region("other", 1L << 32, 512))
                        .description()))
                .isEqualTo("region other of 2 MiB at the source is missing here");
        assertThat(here.misfit(handler(region("low", 0, 256)).description()))
                .isEqualTo("region high of 2 MiB here is missing at the source");
        assertThat(here.misfit(handler(region("low", 0, 256).withReadOnly(), region("high", 1L << 32, 512))
                        .description()))
                .isEqualTo("region low is read-only at the source only");
        assertThat(here.misfit(handler(region("high", 1L << 32, 512), region("low", 0, 256))
                        .description()))
                .isEqualTo("region high is number 0 at the source, 1 here; list them in the same order");
    }

    @Test
    void shouldRefuseAnotherNumberOfSharesAndOtherPages() {
        GuestMemoryHandler here = handler(region("a", 0, 4));
        GuestMemory there = new GuestMemory(List.of(region("a", 0, 4)));

        assertThat(here.misfit(there.handlers("ram", 2).getFirst().description()))
                .isEqualTo("it is share 0/2 of the memory at the source, 0/1 here; use as many handlers on both sides");
        Map<String, String> attributes = new TreeMap<>(here.description().attributes());
        attributes.put("page", "65536");
        assertThat(here.misfit(new Description(GuestMemoryHandler.KIND, 1, attributes)))
                .isEqualTo("the source's pages have 65536 bytes, this side's 4096");
        assertThat(here.misfit(new Description("disk", 1, Map.of()))).contains("of kind disk, this one of kind memory");
        assertThat(here.misfit(new Description(GuestMemoryHandler.KIND, 2, Map.of())))
                .contains("version 2");
    }

    @Test
    void shouldRefuseMemoryThatCannotBeWrittenToHere() {
        Region region = Region.of("rom", 0, pages(1).asReadOnly()).withReadOnly();

        assertThat(handler(region).misfit(handler(region).description()))
                .isEqualTo("region rom cannot be written to by this process; map it writable here");
    }

    @Test
    void shouldCompareMoreRegionsThanCanBeListed() {
        List<Region> regions = new ArrayList<>(IntStream.range(0, 60)
                .mapToObj(i -> region("region-number-" + i, i * PAGE * 16, 1 + i % 3))
                .toList());
        Description there = new GuestMemory(regions).handler("ram").description();
        assertThat(there.attributes()).hasSizeLessThanOrEqualTo(Description.MAX_ATTRIBUTES);
        assertThat(new GuestMemory(regions).handler("ram").misfit(there)).isNull();

        regions.set(40, region("region-number-40", 40 * PAGE * 16, 7));
        assertThat(new GuestMemory(regions).handler("ram").misfit(there))
                .contains("are not this side's")
                .contains("60:");
    }

    @Test
    void shouldSayThatAPeersListMakesNoSense() {
        GuestMemoryHandler here = handler(region("a", 0, 4));
        for (String text : List.of("", "a", "a@", "@+", "a@0+zz", "a@0+4000,", "a@0+4000,a@0+4000", ",,,,")) {
            Map<String, String> attributes = new TreeMap<>(here.description().attributes());
            attributes.put("r0", text);
            assertThat(here.misfit(new Description(GuestMemoryHandler.KIND, 1, attributes)))
                    .as(text)
                    .isNotNull();
        }
    }
}
