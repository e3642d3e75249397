// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.Passage;
import io.vfio4j.migration.Pending;
import io.vfio4j.migration.StateHandler.Precision;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.ScriptedLibC;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
class CmmaAttributesTest {
    private static final int PAGES = 10_000;

    private final ScriptedLibC libc = new ScriptedLibC();
    private final ScriptedCmma kvm = new ScriptedCmma(PAGES);
    private final ScriptedCmma kvmThere = new ScriptedCmma(PAGES);
    private final int fd = libc.eventfd(0, LibC.EFD_CLOEXEC);
    private final int fdThere = libc.eventfd(0, LibC.EFD_CLOEXEC);
    private final CmmaAttributes attributes = new CmmaAttributes(libc, fd, PAGES);
    private final StorageAttributesHandler from = new StorageAttributesHandler("cmma", attributes);
    private final StorageAttributesHandler to =
            new StorageAttributesHandler("cmma", new CmmaAttributes(libc, fdThere, PAGES));

    CmmaAttributesTest() {
        libc.script(fd, kvm);
        libc.script(fdThere, kvmThere);
    }

    @AfterEach
    void close() {
        libc.close(fd);
        libc.close(fdThere);
    }

    @Test
    void shouldReadInMigrationModeAndSetWhatCame() throws IOException {
        kvm.change(5, (byte) 3);
        kvm.change(PAGES - 1, (byte) 1);

        Passage.allAtOnce(from, to, 4096);

        assertThat(kvmThere.values()).isEqualTo(kvm.values());
        assertThat(kvm.calls).startsWith("start", "get").endsWith("stop");
        assertThat(kvmThere.calls).containsOnly("set");
        assertThat(kvm.isMigrating()).isFalse();
    }

    @Test
    void shouldReadOnlyWhatHasChangedSince() throws IOException {
        ByteBuffer into = ByteBuffer.allocateDirect(PAGES);
        attributes.start();
        assertThat(attributes.next(0, into)).isEqualTo(new StorageAttributes.Run(0, PAGES));
        assertThat(attributes.changed()).isZero();
        kvm.change(700, (byte) 7);
        kvm.change(710, (byte) 8);
        kvm.change(90, (byte) 9);

        assertThat(attributes.countChanged()).isEqualTo(3);
        assertThat(attributes.next(100, into.clear())).isEqualTo(new StorageAttributes.Run(700, 11));
        assertThat(into.flip().get(10)).isEqualTo((byte) 8);
        assertThat(attributes.changed()).isEqualTo(1);
        // Those before it are the next.
        assertThat(attributes.next(711, into.clear())).isEqualTo(new StorageAttributes.Run(90, 1));
        assertThat(attributes.next(91, into.clear())).isNull();
        attributes.stop();
        attributes.stop();
        assertThat(kvm.calls).containsOnlyOnce("stop");
    }

    @Test
    void shouldExpectNoLessThanWhatGoes() throws IOException {
        from.saveSetup();
        Pending pending = new Pending();
        from.pending(0, Precision.EXACT, pending);
        from.cleanup();

        assertThat(pending.preCopyBytes()).isGreaterThanOrEqualTo(Passage.bytesOf(from, 4096));
    }

    @Test
    void shouldLeaveHolesOfTheGuestsMemoryAlone() throws IOException {
        kvm.hole(4000);
        kvmThere.hole(4000);
        kvm.change(4001, (byte) 2);

        Passage.allAtOnce(from, to, 1 << 16);

        assertThat(kvmThere.values()[4001]).isEqualTo((byte) 2);
    }

    @Test
    void shouldSayThatTheKernelCannot() {
        kvm.supported = false;

        assertThatThrownBy(from::saveSetup).hasMessageContaining("KVM_CAP_S390_CMMA_MIGRATION");
    }

    @Test
    void shouldNameWhatFailed() throws IOException {
        from.saveSetup();
        kvm.failing = Errno.EFAULT;
        assertThatThrownBy(() -> Passage.bytesOf(from, 4096))
                .hasMessage("migration mode cannot begin: " + Errno.describe(Errno.EFAULT.negated()));
        assertThatThrownBy(from::cleanup).hasMessageContaining("migration mode cannot end");
        kvm.failing = null;

        kvmThere.failing = Errno.EFAULT;
        assertThatThrownBy(() -> Passage.allAtOnce(from, to, 4096))
                .hasMessageContaining("10000 storage attributes at page 0 cannot be set: ");
    }

    @Test
    void shouldRefuseValuesOfPagesThatTheGuestLacks() {
        for (int at = 0; at < 8; at++) {
            int byteOfPage = at;
            try {
                Passage.altered(from, to, 4096, byteOfPage, 0x80);
            } catch (IOException e) {
                assertThat(e).hasMessageContaining("no storage attributes of a guest of 10000 pages");
            }
        }
        assertThatThrownBy(() -> Passage.cut(from, to, 4096, 8)).hasMessageContaining("a piece of 8 bytes");
    }
}
