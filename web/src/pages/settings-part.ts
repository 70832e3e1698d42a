import type { Listed } from '../api/choices';
import type { Schemas } from '../api/client';
import type { Faults } from '../parts/faults';

export type Settings = Schemas['ConnectionSettingsIn'];

/** What each part of the settings' form is given. */
export interface PartProps {
  settings: Settings;
  choices: Schemas['ChoicesOut'];
  /** What the warehouse lists. */
  listed: Listed;
  faults: Faults;
  set: (part: Partial<Settings>) => void;
}

/** Whether the sales order is what starts a shipment, rather than a goods-out note. */
export const startsByOrder = ({ start_mode }: Settings): boolean => (start_mode ?? 'order') === 'order';
