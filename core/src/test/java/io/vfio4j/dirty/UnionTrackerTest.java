// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static io.vfio4j.testing.DirtyPages.PAGE;
import static io.vfio4j.testing.DirtyPages.collectEverything;
import static io.vfio4j.testing.DirtyPages.pages;
import static io.vfio4j.testing.DirtyPages.runs;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.vfio4j.dirty.Capability.Writer;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class UnionTrackerTest {
    private static final AddressRange ALL = pages(0, 0, 100);

    private final Arena arena = Arena.ofConfined();
    private final List<String> calls = new ArrayList<>();
    private final Fake first = new Fake("first", Set.of(Writer.GUEST_CPU), false);
    private final Fake second = new Fake("second", Set.of(Writer.DEVICE), true);
    private final Fake third = new Fake("third", Set.of(Writer.DEVICE), false);
    private final UnionTracker union = new UnionTracker(List.of(first, second, third));

    @AfterEach
    void close() {
        arena.close();
    }

    private final class Fake implements DirtyTracker {
        final Capability capability;
        final String name;
        long granted = PAGE;
        List<AddressRange> dirty = List.of();

        @Nullable
        String everythingBecause;

        @Nullable
        Throwable startFailure;

        @Nullable
        DirtyTrackingException stopFailure;

        Fake(String name, Set<Writer> sees, boolean reportsTooMuch) {
            this.name = name;
            this.capability = new Capability(name, sees, reportsTooMuch, "cheap");
        }

        @Override
        public Capability capability() {
            return capability;
        }

        @Override
        public long start(List<AddressRange> ranges, long pageSizeHint) throws DirtyTrackingException {
            calls.add("start " + name + " " + ranges + " " + pageSizeHint);
            if (startFailure instanceof DirtyTrackingException e) {
                throw e;
            }
            if (startFailure instanceof Error e) {
                throw e;
            }
            return granted;
        }

        @Override
        public Collected collect(AddressRange range, DirtyBitmap into) {
            calls.add("collect " + name + " " + range);
            dirty.forEach(into::mark);
            if (everythingBecause != null) {
                into.mark(range);
            }
            return new Collected(everythingBecause);
        }

        @Override
        public void stop() throws DirtyTrackingException {
            calls.add("stop " + name);
            if (stopFailure != null) {
                throw stopFailure;
            }
        }

        @Override
        public void close() {
            calls.add("close " + name);
        }
    }

    private static DirtyTrackingException failure(String source) {
        return new DirtyTrackingException(Problem.UNSUPPORTED, source, "cannot");
    }

    @Test
    void shouldSeeWhatAnyOfThemSees() {
        Capability capability = union.capability();

        assertThat(capability.source()).isEqualTo("first and second and third");
        assertThat(capability.sees()).containsExactlyInAnyOrder(Writer.GUEST_CPU, Writer.DEVICE);
        assertThat(capability.blindTo()).containsExactly(Writer.THIS_PROCESS);
        assertThat(capability.reportsTooMuch()).isTrue();
        assertThat(capability.cost()).isEqualTo("cheap");
        assertThat(new UnionTracker(List.of(first, third)).capability().reportsTooMuch())
                .isFalse();
    }

    @Test
    void shouldKeepACopyOfWhatACapabilityWasMadeOf() {
        Set<Writer> sees = EnumSet.allOf(Writer.class);
        Capability capability = new Capability("all", sees, false, "none");
        sees.clear();

        assertThat(capability.sees()).containsExactlyInAnyOrder(Writer.values());
        assertThat(capability.blindTo()).isEmpty();
        assertThat(new Capability("none", Set.of(), false, "none").blindTo()).containsExactly(Writer.values());
    }

    @Test
    void shouldStartAllAndGrantTheLargestPage() throws Exception {
        second.granted = 16 * PAGE;

        assertThat(union.start(List.of(ALL), 2 * PAGE)).isEqualTo(16 * PAGE);

        assertThat(calls)
                .containsExactly(
                        "start first [0x0-0x63fff] 8192",
                        "start second [0x0-0x63fff] 8192",
                        "start third [0x0-0x63fff] 8192");
    }

    @Test
    void shouldStopThoseThatWereStartedWhenOneCannotBe() {
        DirtyTrackingException cause = failure("third");
        third.startFailure = cause;
        DirtyTrackingException stopCause = failure("second");
        second.stopFailure = stopCause;

        assertThatThrownBy(() -> union.start(List.of(ALL), PAGE))
                .isSameAs(cause)
                .hasSuppressedException(stopCause);

        assertThat(calls)
                .containsExactly(
                        "start first [0x0-0x63fff] 4096",
                        "start second [0x0-0x63fff] 4096",
                        "start third [0x0-0x63fff] 4096",
                        "stop first",
                        "stop second");
    }

    @Test
    void shouldStopThoseThatWereStartedWhateverHappens() {
        OutOfMemoryError cause = new OutOfMemoryError("test");
        second.startFailure = cause;

        assertThatThrownBy(() -> union.start(List.of(ALL), PAGE)).isSameAs(cause);

        assertThat(calls)
                .containsExactly("start first [0x0-0x63fff] 4096", "start second [0x0-0x63fff] 4096", "stop first");
    }

    @Test
    void shouldCallDirtyWhatAnyCallsDirty() throws Exception {
        first.dirty = List.of(pages(0, 3, 2));
        third.dirty = List.of(pages(0, 4, 2), pages(0, 90, 1));
        DirtyBitmap bitmap = new DirtyBitmap(arena, ALL, PAGE);
        bitmap.mark(pages(0, 50, 1));

        assertThat(union.collect(ALL, bitmap)).isEqualTo(Collected.REPORTED);

        assertThat(runs(bitmap)).containsExactly(pages(0, 3, 3), pages(0, 50, 1), pages(0, 90, 1));
        assertThat(calls)
                .containsExactly(
                        "collect first 0x0-0x63fff", "collect second 0x0-0x63fff", "collect third 0x0-0x63fff");
    }

    @Test
    void shouldJoinTheReasonsOfThoseThatCouldNotReport() throws Exception {
        first.everythingBecause = "because";
        assertThat(collectEverything(union, ALL)).isEqualTo("because");
        second.everythingBecause = "because";
        assertThat(collectEverything(union, ALL)).isEqualTo("because");
        third.everythingBecause = "for another reason";
        assertThat(collectEverything(union, ALL)).isEqualTo("because; for another reason");
        first.everythingBecause = null;
        second.everythingBecause = null;
        assertThat(collectEverything(union, ALL)).isEqualTo("for another reason");
    }

    @Test
    void shouldStopAllEvenWhenSomeFail() {
        DirtyTrackingException cause = failure("first");
        first.stopFailure = cause;
        DirtyTrackingException stopCause = failure("second");
        second.stopFailure = stopCause;

        assertThat(catchThrowableOfType(DirtyTrackingException.class, union::stop))
                .isSameAs(cause)
                .hasSuppressedException(stopCause);

        assertThat(calls).containsExactly("stop first", "stop second", "stop third");
    }

    @Test
    void shouldCloseAll() {
        union.close();

        assertThat(calls).containsExactly("close first", "close second", "close third");
    }

    @Test
    void shouldRefuseToJoinNothing() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new UnionTracker(List.of()))
                .withMessageContaining("at least one");
    }
}
