// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.ffm.vfio.Vfio;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class MigrationStateTest {
    @Test
    void shouldCountThePreCopyStatesAsRunning() {
        assertThat(Arrays.stream(MigrationState.values()).filter(MigrationState::isRunning))
                .containsExactlyInAnyOrder(
                        MigrationState.RUNNING,
                        MigrationState.RUNNING_P2P,
                        MigrationState.PRE_COPY,
                        MigrationState.PRE_COPY_P2P);
    }

    @Test
    void shouldKnowTheKernelsNumbers() {
        for (MigrationState state : MigrationState.values()) {
            assertThat(MigrationState.of(state.code())).isSameAs(state);
        }
        assertThat(MigrationState.of(Vfio.VFIO_DEVICE_STATE_PRE_COPY_P2P)).isSameAs(MigrationState.PRE_COPY_P2P);
        assertThatThrownBy(() -> MigrationState.of(8))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("no migration state has the number 8");
    }
}
