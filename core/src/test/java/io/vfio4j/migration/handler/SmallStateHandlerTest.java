// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.migration.Passage;
import io.vfio4j.migration.Pending;
import io.vfio4j.migration.StateHandler.Precision;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SmallStateHandlerTest {
    private static final int COUNTER = 1;
    private static final int BUFFER = 2;
    private static final int NEW = 3;

    private final List<String> applied = new ArrayList<>();

    /** A counter and a buffer; a test can have it write more, and forbid what it reads. */
    private class Uart implements SmallState {
        private final String name;
        private final int oldest;
        private final int version;
        private long counter;
        private byte[] buffer = {};
        private int maxBytes = 16 << 10;
        private Writing more = out -> {};
        private Consumer<FieldReader> reading = in -> {};

        Uart(String name, int oldest, int version) {
            this.name = name;
            this.oldest = oldest;
            this.version = version;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public int version() {
            return version;
        }

        @Override
        public int oldestVersion() {
            return oldest;
        }

        @Override
        public int maxBytes() {
            return maxBytes;
        }

        @Override
        public void save(FieldWriter out) throws IOException {
            out.required(COUNTER, counter).required(BUFFER, buffer);
            more.write(out);
        }

        @Override
        public Loaded load(FieldReader in) throws IOException {
            reading.accept(in);
            long newCounter = in.number(COUNTER);
            byte[] newBuffer = in.bytes(BUFFER);
            return () -> {
                counter = newCounter;
                buffer = newBuffer;
                applied.add(name);
            };
        }
    }

    @FunctionalInterface
    private interface Writing {
        void write(FieldWriter out) throws IOException;
    }

    private Uart uart(String name) {
        return new Uart(name, 1, 1);
    }

    private static SmallStateHandler handler(SmallState... states) {
        return new SmallStateHandler("small", List.of(states));
    }

    private static void move(SmallStateHandler from, SmallStateHandler to) throws IOException {
        Passage.allAtOnce(from, to, 4096);
    }

    @Test
    void shouldMoveStatesAndPutThemIntoPlaceInTheOrderOfTheDestination() throws IOException {
        Uart uart0 = uart("uart0");
        Uart clock = uart("clock");
        uart0.counter = 7;
        uart0.buffer = new byte[] {1, 2, 3};
        clock.counter = -1;
        Uart uart0There = uart("uart0");
        Uart clockThere = uart("clock");

        move(handler(uart0, clock), handler(clockThere, uart0There));

        assertThat(uart0There.counter).isEqualTo(7);
        assertThat(uart0There.buffer).containsExactly(1, 2, 3);
        assertThat(clockThere.counter).isEqualTo(-1);
        assertThat(applied).containsExactly("clock", "uart0");
    }

    @Test
    void shouldMoveAStateThatSpansPieces() throws IOException {
        Uart large = uart("large");
        large.maxBytes = 1 << 20;
        large.buffer = new byte[200_000];
        for (int i = 0; i < large.buffer.length; i++) {
            large.buffer[i] = (byte) (i * 31);
        }
        Uart there = uart("large");
        there.maxBytes = 1 << 20;

        move(handler(uart("a"), large, uart("z")), handler(uart("a"), there, uart("z")));

        assertThat(there.buffer).isEqualTo(large.buffer);
    }

    @Test
    void shouldMoveMemory() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment registers = arena.allocate(144);
            registers.set(ValueLayout.JAVA_LONG, 136, 0xABCDEF);
            MemorySegment there = arena.allocate(144);
            Uart vcpu = uart("vcpu0");
            vcpu.more = out -> out.required(NEW, registers);
            Uart vcpuThere = uart("vcpu0");
            vcpuThere.reading = unchecked(in -> in.memory(NEW, there));

            move(handler(vcpu), handler(vcpuThere));

            assertThat(there.mismatch(registers)).isEqualTo(-1);
            vcpuThere.reading = unchecked(in -> in.memory(NEW, there.asSlice(0, 100)));
            assertThatThrownBy(() -> move(handler(vcpu), handler(vcpuThere)))
                    .hasMessageContaining("vcpu0: field 3 has 144 bytes, where 100 were due");
        }
    }

    @FunctionalInterface
    private interface Reading {
        void read(FieldReader in) throws IOException;
    }

    private static Consumer<FieldReader> unchecked(Reading reading) {
        return in -> {
            try {
                reading.read(in);
            } catch (IOException e) {
                throw new IllegalStateException(e.getMessage(), e);
            }
        };
    }

    @Test
    void shouldPassOverOptionalFieldsOfANewerWriter() throws IOException {
        Uart newer = uart("uart0");
        newer.counter = 5;
        newer.more = out -> out.optional(NEW, 99).optional(NEW + 1, new byte[] {1});
        Uart older = uart("uart0");

        move(handler(newer), handler(older));

        assertThat(older.counter).isEqualTo(5);
    }

    @Test
    void shouldGiveWhatAnOlderWriterHasNotWritten() throws IOException {
        List<Long> read = new ArrayList<>();
        Uart newer = uart("uart0");
        newer.reading = unchecked(in -> read.add(in.number(NEW, 42)));

        move(handler(uart("uart0")), handler(newer));

        assertThat(read).containsExactly(42L);
    }

    @Test
    void shouldRefuseARequiredFieldThatIsNotKnownAndApplyNothing() {
        Uart newer = uart("uart0");
        newer.more = out -> out.required(NEW, 99);

        assertThatThrownBy(() -> move(handler(uart("a"), newer), handler(uart("a"), uart("uart0"))))
                .hasMessageContaining("uart0: the source requires that field 3 is known");
        assertThat(applied).isEmpty();
    }

    @Test
    void shouldRefuseAStateWithoutARequiredFieldAndApplyNothing() {
        Uart newer = uart("uart0");
        newer.reading = unchecked(in -> in.number(NEW));

        assertThatThrownBy(() -> move(handler(uart("a"), uart("uart0")), handler(uart("a"), newer)))
                .hasMessageContaining("uart0: field 3 is missing");
        assertThat(applied).isEmpty();
    }

    @Test
    void shouldReadOlderVersionsAsFarAsItSays() throws IOException {
        List<Integer> versions = new ArrayList<>();
        Uart newer = new Uart("uart0", 2, 4);
        newer.reading = in -> versions.add(in.version());

        move(handler(new Uart("uart0", 3, 3)), handler(newer));

        assertThat(versions).containsExactly(3);
    }

    @Test
    void shouldRefuseVersionsThatItDoesNotReadBeforeAnythingIsTouched() {
        SmallStateHandler here = handler(new Uart("uart0", 2, 4));

        assertThat(here.misfit(handler(new Uart("uart0", 1, 1)).description()))
                .isEqualTo("uart0 has version 1 at the source, and versions 2 to 4 are read here");
        assertThat(here.misfit(handler(new Uart("uart0", 1, 5)).description()))
                .isEqualTo("uart0 has version 5 at the source, and versions 2 to 4 are read here");
        assertThat(handler(uart("a")).misfit(handler(new Uart("a", 2, 2)).description()))
                .isEqualTo("a has version 2 at the source, and version 1 is read here");
        assertThat(here.misfit(handler(new Uart("uart0", 2, 2)).description())).isNull();
    }

    @Test
    void shouldRefuseNamesThatOneSideLacksBeforeAnythingIsTouched() {
        assertThat(handler(uart("uart0"), uart("clock"))
                        .misfit(handler(uart("uart0"), uart("rtc")).description()))
                .isEqualTo("rtc is missing here, clock is missing at the source");
    }

    @Test
    void shouldRefuseStatesThatAreUnknownMissingOrThereTwiceAndApplyNothing() throws IOException {
        SmallStateHandler to = handler(uart("a"), uart("b"));
        try (Passage passage = Passage.into(to, 4096)) {
            to.loadSetup();
            handler(uart("a")).complete(passage);
            assertThatThrownBy(to::loadFinish).hasMessage("b did not come");

            to.loadSetup();
            handler(uart("a")).complete(passage);
            handler(uart("a")).complete(passage);
            assertThatThrownBy(to::loadFinish).hasMessage("a came twice");

            to.loadSetup();
            handler(uart("other")).complete(passage);
            assertThatThrownBy(to::loadFinish).hasMessageContaining("not known here: other");

            to.loadSetup();
            handler(new Uart("a", 2, 2)).complete(passage);
            assertThatThrownBy(to::loadFinish).hasMessageStartingWith("a has version 2 at the source");
        }
        assertThat(applied).isEmpty();
    }

    @Test
    void shouldRefuseAStateThatIsTooLongAtTheSource() {
        Uart large = uart("large");
        large.buffer = new byte[16 << 10];

        assertThatThrownBy(() -> move(handler(large), handler(uart("large"))))
                .hasMessage("large: with field 2 it is 16408 bytes long; its maxBytes() is 16384");
    }

    @Test
    void shouldRefuseAStateThatIsTooLongAtTheDestination() {
        Uart large = uart("large");
        large.buffer = new byte[16 << 10];
        large.maxBytes = 32 << 10;

        assertThatThrownBy(() -> move(handler(large), handler(uart("large"))))
                .hasMessageContaining("the states are longer than the 16399 bytes that they may have here");
        assertThatThrownBy(() -> move(handler(large, uart("a")), handler(uart("large"), uart("a"))))
                .hasMessageContaining("large: it has 16408 bytes, of which 16443 came and 16384 are allowed here");
    }

    @Test
    void shouldRefuseAFieldThatIsWrittenTwiceOrHasNoNumber() {
        Uart twice = uart("uart0");
        twice.more = out -> out.optional(COUNTER, 1);
        Uart without = uart("uart0");
        without.more = out -> out.optional(0x10000, 1);

        assertThatThrownBy(() -> move(handler(twice), handler(uart("uart0"))))
                .hasMessage("uart0: field 1 is written twice");
        assertThatThrownBy(() -> move(handler(without), handler(uart("uart0"))))
                .hasMessage("uart0: field 65536: a number is 0 to 65535");
    }

    @Test
    void shouldRefuseWhateverIsCutAndApplyNothing() throws IOException {
        Uart uart0 = uart("uart0");
        uart0.buffer = new byte[] {1, 2, 3};
        SmallStateHandler from = handler(uart("a"), uart0);
        int whole = Passage.bytesOf(from, 4096);
        for (int bytes = 0; bytes < whole; bytes++) {
            int cut = bytes;
            assertThatThrownBy(() -> Passage.cut(from, handler(uart("a"), uart("uart0")), 4096, cut))
                    .as("cut to %d of %d bytes", cut, whole)
                    .isInstanceOf(IOException.class);
        }
        assertThat(applied).isEmpty();
    }

    @Test
    void shouldThrowNothingButIoExceptionsForMutatedBytes() throws IOException {
        Uart uart0 = uart("uart0");
        uart0.buffer = new byte[] {1, 2, 3};
        SmallStateHandler from = handler(uart("a"), uart0);
        int whole = Passage.bytesOf(from, 4096);
        for (int at = 0; at < whole; at++) {
            for (int bit = 0; bit < 8; bit++) {
                try {
                    Passage.altered(from, handler(uart("a"), uart("uart0")), 4096, at, 1 << bit);
                } catch (IOException e) {
                    assertThat(e).as("byte %d, bit %d", at, bit).hasMessageMatching("\\p{Print}+");
                }
            }
        }
    }

    @Test
    void shouldExpectNoLessThanWhatGoes() throws IOException {
        Uart uart0 = uart("uart0");
        uart0.buffer = new byte[1000];
        SmallStateHandler from = handler(uart("a"), uart0);
        Pending pending = new Pending();

        from.pending(0, Precision.ESTIMATE, pending);

        assertThat(pending.stoppedBytes()).isGreaterThanOrEqualTo(Passage.bytesOf(from, 4096));
        assertThat(pending.iterableBytes()).isZero();
    }

    @Test
    void shouldDescribeTheVirtualProcessorsOfALargeMachine() {
        SmallState[] vcpus =
                IntStream.range(0, 2048).mapToObj(i -> uart("vcpu" + i)).toArray(SmallState[]::new);

        assertThat(handler(vcpus).description().attributes()).containsEntry("states0", "vcpu{0..2047}:1");
        assertThat(handler(vcpus).misfit(handler(vcpus).description())).isNull();
    }

    @Test
    void shouldRefuseNamesThatItCannotDescribe() {
        SmallState[] many = IntStream.range(0, 100)
                .mapToObj(i -> uart("device-" + i + "-with-a-name"))
                .toArray(SmallState[]::new);

        assertThatThrownBy(() -> handler(many)).hasMessageContaining("divide them among several handlers");
        assertThatThrownBy(() -> handler(uart("no name"))).hasMessageEndingWith("not no name");
        assertThatThrownBy(() -> handler(uart("a"), uart("a"))).hasMessage("a: two states have this name");
        assertThatThrownBy(() -> handler(new Uart("a", 0, 1))).hasMessageEndingWith("not 0 to 1");
        assertThatThrownBy(() -> handler(new Uart("a", 2, 1))).hasMessageEndingWith("not 2 to 1");
    }
}
